/** Pods that hold more on the node's disk than their own limits allow, whatever the node has left. Pure. */
import type { Pod } from '../pod/types.ts';
import { parseQuantity } from '../quantity.ts';
import type { PodUsage } from './pod-usage.ts';

const STORAGE = 'ephemeral-storage';

/** Whether its disk usage has to be looked at all the time. */
export function hasStorageLimit({ spec }: Pod): boolean {
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  return (
    containers.some(({ resources }) => resources?.limits?.[STORAGE] !== undefined) ||
    (spec.volumes ?? []).some(({ emptyDir }) => emptyDir?.sizeLimit !== undefined)
  );
}

/** Why the pod has to go; undefined while it keeps its limits. */
export function brokenStorageLimit(usage: PodUsage): string | undefined {
  return brokenVolume(usage) ?? brokenPod(usage) ?? brokenContainer(usage);
}

function brokenVolume({ pod, emptyDirs }: PodUsage): string | undefined {
  for (const { name, emptyDir } of pod.spec.volumes ?? []) {
    const limit = positive(emptyDir?.sizeLimit);
    if (limit !== undefined && (emptyDirs[name] ?? 0) > limit) {
      return `Usage of EmptyDir volume "${name}" exceeds the limit "${emptyDir?.sizeLimit}". `;
    }
  }
  return undefined;
}

function brokenPod({ pod, total }: PodUsage): string | undefined {
  const limits = pod.spec.containers.flatMap(({ resources }) => positive(resources?.limits?.[STORAGE]) ?? []);
  const limit = limits.reduce((sum, one) => sum + one, 0);
  if (limits.length === 0 || (total[STORAGE] ?? 0) <= limit) return undefined;
  const texts = pod.spec.containers.flatMap(({ resources }) => resources?.limits?.[STORAGE] ?? []);
  const named = texts.length === 1 ? texts[0] : String(limit);
  return `Pod ephemeral local storage usage exceeds the total limit of containers ${named}. `;
}

function brokenContainer({ pod, containers }: PodUsage): string | undefined {
  for (const { name, resources } of pod.spec.containers) {
    const limit = positive(resources?.limits?.[STORAGE]);
    if (limit !== undefined && (containers[name]?.[STORAGE] ?? 0) > limit) {
      return `Container ${name} exceeded its local ephemeral storage limit "${resources?.limits?.[STORAGE]}". `;
    }
  }
  return undefined;
}

/** A limit of nothing is no limit. */
function positive(text: string | undefined): number | undefined {
  const value = text === undefined ? undefined : parseQuantity(text);
  return value !== undefined && value > 0 ? value : undefined;
}
