/** What a pod may learn of itself: fieldRef and resourceFieldRef. Pure. */
import { parseQuantity } from '../quantity.ts';
import type { Container, FieldRef, Pod, ResourceFieldRef } from './types.ts';

/** Facts that are not in the object yet when the first container starts. */
export interface PodFacts {
  readonly podIPs: readonly string[];
  readonly hostIPs: readonly string[];
  /** What the node has, for containers without a limit of their own. */
  readonly allocatable: Readonly<Record<string, string>>;
}

/** Undefined for a path that is not supported. */
export function fieldValue({ fieldPath }: FieldRef, pod: Pod, facts: PodFacts): string | undefined {
  const { metadata, spec } = pod;
  const keyed = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(fieldPath);
  if (keyed !== null) return metadata[keyed[1] as 'labels' | 'annotations']?.[keyed[2] ?? ''] ?? '';
  switch (fieldPath) {
    case 'metadata.name':
      return metadata.name ?? '';
    case 'metadata.namespace':
      return metadata.namespace ?? '';
    case 'metadata.uid':
      return metadata.uid ?? '';
    case 'metadata.labels':
      return formatMap(metadata.labels);
    case 'metadata.annotations':
      return formatMap(metadata.annotations);
    case 'spec.nodeName':
      return spec.nodeName ?? '';
    case 'spec.serviceAccountName':
      return spec.serviceAccountName ?? '';
    case 'status.podIP':
      return facts.podIPs[0] ?? '';
    case 'status.podIPs':
      return facts.podIPs.join(',');
    case 'status.hostIP':
      return facts.hostIPs[0] ?? '';
    case 'status.hostIPs':
      return facts.hostIPs.join(',');
    default:
      return undefined;
  }
}

/** Undefined for a resource that is not supported, or a container that is not there. */
export function resourceValue(
  { containerName, resource, divisor }: ResourceFieldRef,
  pod: Pod,
  own: Container | undefined,
  facts: PodFacts,
): string | undefined {
  const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  const container =
    containerName === undefined || containerName === '' ? own : all.find(({ name }) => name === containerName);
  const match = /^(limits|requests)\.(.+)$/.exec(resource);
  if (container === undefined || match === null) return undefined;
  const [, list, name = ''] = match;
  const { limits, requests } = container.resources ?? {};
  const text = list === 'limits' ? (limits?.[name] ?? facts.allocatable[name]) : (requests?.[name] ?? limits?.[name]);
  const value = parseQuantity(text ?? '0') ?? 0;
  const unit = parseQuantity(divisor === undefined || divisor === '0' ? '1' : divisor) ?? 1;
  // Rounded up: a program that is told 1 of 1.5 cores would leave half of one idle, one told 0 would fail.
  return String(Math.ceil(roundNoise(value / unit)));
}

function roundNoise(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

/** `key="value"` lines in order of their keys, as the downward API writes them. */
function formatMap(map: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries(map).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return lines.sort().join('\n');
}
