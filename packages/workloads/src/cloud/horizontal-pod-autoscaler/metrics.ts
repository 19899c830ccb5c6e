/** The metrics of an autoscaler, each judged by itself: what is, and how many pods that asks for. */
import { formatQuantity } from '@skerry/api/quantity';
import type {
  ContainerResourceMetricSource,
  HorizontalPodAutoscalerSpec,
  MetricSpec,
  MetricStatus,
  MetricValueStatus,
  Pod,
  ResourceMetricSource,
} from '@skerry/api/types';
import type { PodMetrics } from '../../usage/metrics-kinds.ts';
import { type Average, propose, type Target, type Tolerance } from './proposal.ts';
import { type Measured, milliOf, requestsOf, samplesOf } from './usage-samples.ts';

const NANO_PER_MILLI = 1_000_000n;
const DEFAULT_TOLERANCE = 0.1;

/** What was read of the pods; a problem when it could not be. */
export type Readings = { readonly metrics: readonly PodMetrics[] } | { readonly problem: string };

export interface MetricFacts {
  readonly spec: HorizontalPodAutoscalerSpec;
  readonly current: number;
  readonly pods: readonly Pod[];
  readonly readings: Readings;
  readonly now: number;
}

export type Judged =
  | { readonly name: string; readonly replicas: number; readonly status: MetricStatus }
  | { readonly reason: string; readonly problem: string };

export function judgeMetrics(facts: MetricFacts): Judged[] {
  return (facts.spec.metrics ?? []).map((metric) => judge(metric, facts));
}

/** Whether any of them is about what pods use. */
export function needsReadings({ metrics = [] }: HorizontalPodAutoscalerSpec): boolean {
  return metrics.some(({ type }) => type === 'Resource' || type === 'ContainerResource');
}

function judge(metric: MetricSpec, facts: MetricFacts): Judged {
  const { type, resource, containerResource } = metric;
  if (type === 'Resource' && resource !== undefined) {
    return judgeResource(facts, { source: resource, measured: { resource: resource.name }, label: '', type });
  }
  if (type === 'ContainerResource' && containerResource !== undefined) {
    const { name, container } = containerResource;
    const measured = { resource: name, container };
    return judgeResource(facts, { source: containerResource, measured, label: 'container ', type });
  }
  return { reason: `FailedGet${type}Metric`, problem: `no API here serves metrics of type ${type}` };
}

interface Resource {
  readonly source: ResourceMetricSource | ContainerResourceMetricSource;
  readonly measured: Measured;
  readonly label: string;
  readonly type: 'Resource' | 'ContainerResource';
}

function judgeResource(facts: MetricFacts, { source, measured, label, type }: Resource): Judged {
  const { spec, current, pods, readings, now } = facts;
  const reason = `FailedGet${type}Metric`;
  const failed = (problem: string) => ({
    reason,
    problem: `failed to get ${measured.resource} ${label}utilization: ${problem}`,
  });
  if ('problem' in readings) return failed(readings.problem);
  const target = targetOf(source, pods, measured);
  if (target === undefined) return failed('the metric has no target that is served here');
  const proposal = propose({
    current,
    pods,
    samples: samplesOf(readings.metrics, measured),
    target,
    isCpu: measured.resource === 'cpu',
    tolerance: toleranceOf(spec),
    now,
  });
  if ('problem' in proposal) return failed(proposal.problem);
  const { name } = source;
  const found = { ...source, current: currentOf(proposal.average) };
  const { target: _, ...status } = found;
  return {
    name: `${name} ${label}resource${target.type === 'Utilization' ? ' utilization (percentage of request)' : ''}`,
    replicas: proposal.replicas,
    status: { type, ...(type === 'Resource' ? { resource: status } : { containerResource: status as Container }) },
  };
}

type Container = NonNullable<MetricStatus['containerResource']>;

function targetOf({ target }: Resource['source'], pods: readonly Pod[], measured: Measured): Target | undefined {
  const milli = milliOf(target.averageValue);
  if (milli !== undefined) return { type: 'AverageValue', milli };
  const { averageUtilization: percent } = target;
  return percent === undefined ? undefined : { type: 'Utilization', percent, requests: requestsOf(pods, measured) };
}

function toleranceOf({ behavior }: HorizontalPodAutoscalerSpec): Tolerance {
  const parse = (text: string | undefined) => (milliOf(text) ?? DEFAULT_TOLERANCE * 1000) / 1000;
  return { up: parse(behavior?.scaleUp?.tolerance), down: parse(behavior?.scaleDown?.tolerance) };
}

function currentOf({ milli, percent }: Average): MetricValueStatus {
  const averageValue = formatQuantity({ nano: BigInt(milli) * NANO_PER_MILLI, format: 'DecimalSI' });
  return { averageValue, ...(percent === undefined ? {} : { averageUtilization: percent }) };
}
