/** What metrics.k8s.io says of pods, as numbers: one sample a pod. */
import { parseDuration } from '@skerry/api/durations';
import { parseQuantity } from '@skerry/api/quantity';
import type { Container, Pod } from '@skerry/api/types';
import type { PodMetrics } from '../../usage/metrics-kinds.ts';
import { parseTime } from '../timestamps.ts';

/** Amounts are in thousandths of the resource's unit. */
export interface Sample {
  readonly milli: number;
  readonly at: number;
  readonly windowMs: number;
}

/** A resource of pods, or of one of their containers. */
export interface Measured {
  readonly resource: string;
  readonly container?: string;
}

const NANO_PER_MILLI = 1_000_000n;

export function milliOf(quantity: string | undefined): number | undefined {
  const parsed = parseQuantity(quantity);
  return parsed === undefined ? undefined : Number(parsed.nano / NANO_PER_MILLI);
}

/** By the pod's name; a pod of which not every container is known is left out. */
export function samplesOf(metrics: readonly PodMetrics[], measured: Measured): Map<string, Sample> {
  const samples = metrics.flatMap((one) => {
    const containers = one.containers.filter((each) => isMeant(each, measured));
    const amounts = containers.map(({ usage }) => milliOf(usage[measured.resource]));
    const sum = sumOf(amounts);
    if (sum === undefined || amounts.length === 0) return [];
    const sample = { milli: sum, at: parseTime(one.timestamp) ?? 0, windowMs: parseDuration(one.window) ?? 0 };
    return [[one.metadata.name ?? '', sample] as const];
  });
  return new Map(samples);
}

export type Requests = { readonly byPod: ReadonlyMap<string, number> } | { readonly problem: string };

/** What each pod asks for; utilization has no meaning where a container asks for nothing. */
export function requestsOf(pods: readonly Pod[], measured: Measured): Requests {
  const byPod = new Map<string, number>();
  for (const pod of pods) {
    const { name = '' } = pod.metadata;
    const wholePod = measured.container === undefined ? milliOf(podRequests(pod)[measured.resource]) : undefined;
    const containers = wholePod === undefined ? lastingContainers(pod).filter((each) => isMeant(each, measured)) : [];
    const silent = containers.find((each) => milliOf(each.resources?.requests?.[measured.resource]) === undefined);
    if (silent !== undefined) {
      return { problem: `missing request for ${measured.resource} in container ${silent.name} of Pod ${name}` };
    }
    const amounts = containers.map((each) => milliOf(each.resources?.requests?.[measured.resource]) ?? 0);
    byPod.set(name, wholePod ?? amounts.reduce((sum, amount) => sum + amount, 0));
  }
  return { byPod };
}

function podRequests({ spec }: Pod): Readonly<Record<string, string>> {
  return spec?.resources?.requests ?? {};
}

/** Those that run as long as the pod does. */
function lastingContainers({ spec }: Pod): readonly Container[] {
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  return [...(spec?.containers ?? []), ...sidecars];
}

function isMeant({ name }: { readonly name: string }, { container }: Measured): boolean {
  return container === undefined || name === container;
}

function sumOf(amounts: readonly (number | undefined)[]): number | undefined {
  return amounts.reduce((sum, amount) => (sum === undefined || amount === undefined ? undefined : sum + amount), 0);
}
