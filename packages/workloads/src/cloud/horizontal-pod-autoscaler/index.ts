/** HorizontalPodAutoscaler: as many pods as their load asks for, within bounds and no faster than permitted. */
import type { KubeObject } from '@skerry/api';
import { parseLabelSelector } from '@skerry/api/selectors';
import type { HorizontalPodAutoscaler, HorizontalPodAutoscalerStatus, MetricStatus, Pod } from '@skerry/api/types';
import { messageOf } from '@skerry/base';
import type { Recorder } from '@skerry/kube/client';
import { type ControllerSpec, type Informer, keyOf, type Requeue, reading, watching } from '@skerry/kube/controller';
import { METRICS_GROUP, type PodMetrics } from '../../usage/metrics-kinds.ts';
import { isSame, isSameStatus } from '../canonical.ts';
import { withCondition } from '../conditions.ts';
import type { CloudContext } from '../context.ts';
import { HORIZONTAL_POD_AUTOSCALERS, PODS } from '../resources.ts';
import { type ServedKinds, servedKinds } from '../served-kinds.ts';
import { formatTime } from '../timestamps.ts';
import { judgeMetrics, needsReadings, type Readings } from './metrics.ts';
import { afterScaling, type History, NO_HISTORY } from './pace.ts';
import { type Condition, planScaling, planUnmeasured, type ScalingPlan } from './plan.ts';
import { findTarget, type ScaleTarget } from './scale-target.ts';

/** As often as each autoscaler looks at its metrics. */
const SYNC_MS = 15_000;

interface World extends CloudContext {
  readonly autoscalers: Informer<HorizontalPodAutoscaler>;
  readonly pods: Informer<Pod>;
  readonly kinds: ServedKinds;
  readonly events: Recorder;
  /** Known to this process alone: a new one begins with the sizes that it finds. */
  readonly histories: Map<string, History>;
}

export function horizontalPodAutoscalerController(context: CloudContext): ControllerSpec {
  const { informers, rows } = context;
  const autoscalers = informers.informer<HorizontalPodAutoscaler>({ gvr: HORIZONTAL_POD_AUTOSCALERS });
  const pods = informers.informer<Pod>({ gvr: PODS });
  const kinds = servedKinds(rows, informers);
  const events = context.recorder('horizontal-pod-autoscaler');
  const world: World = { ...context, autoscalers, pods, kinds, events, histories: new Map() };
  return {
    name: 'horizontalpodautoscaler',
    watches: [
      watching(autoscalers, ({ object, previous }) => (isSame(object.spec, previous?.spec) ? [] : [keyOf(object)])),
    ],
    reads: [reading(pods)],
    reconcile: (key) => reconcile(world, key),
  };
}

async function reconcile(world: World, key: string): Promise<Requeue | undefined> {
  const { autoscalers, histories, client, kinds } = world;
  const autoscaler = autoscalers.cache.get(key);
  if (autoscaler === undefined || autoscaler.metadata.deletionTimestamp !== undefined) {
    histories.delete(key);
    return undefined;
  }
  await kinds.synced;
  const target = await findTarget(client, kinds, autoscaler);
  if ('problem' in target) await reportNoTarget(world, autoscaler, target.problem);
  else await scale(world, key, { autoscaler, target });
  return { afterMs: SYNC_MS };
}

async function reportNoTarget(world: World, autoscaler: HorizontalPodAutoscaler, problem: string): Promise<void> {
  world.events.event(autoscaler, 'Warning', 'FailedGetScale', problem);
  const message = `the HPA controller was unable to get the target's current scale: ${problem}`;
  const condition = { type: 'AbleToScale', status: 'False', reason: 'FailedGetScale', message };
  await writeStatus(world, autoscaler, { conditions: [condition] });
}

interface Scaling {
  readonly autoscaler: HorizontalPodAutoscaler;
  readonly target: ScaleTarget;
}

async function scale(world: World, key: string, { autoscaler, target }: Scaling): Promise<void> {
  const { histories, events, clock } = world;
  const { plan, currentMetrics } = await planFor(world, key, { autoscaler, target });
  if (plan.failure !== undefined) {
    const { reason, message } = plan.failure;
    events.event(autoscaler, 'Warning', reason, message);
    events.event(autoscaler, 'Warning', 'FailedComputeMetricsReplicas', `invalid metrics: ${message}`);
  }
  histories.set(key, plan.history);
  const rescaled = plan.replicas === target.replicas ? undefined : await rescale(world, { autoscaler, target }, plan);
  const isRescaled = rescaled?.status === 'True';
  if (isRescaled) {
    const change = { from: target.replicas, to: plan.replicas, now: clock.now() };
    histories.set(key, afterScaling(plan.history, change));
  }
  await writeStatus(world, autoscaler, {
    conditions: [FOUND, ...plan.conditions, ...(rescaled === undefined ? [] : [rescaled])],
    currentReplicas: target.found,
    desiredReplicas: plan.replicas,
    ...(currentMetrics === undefined ? {} : { currentMetrics }),
    ...(isRescaled ? { lastScaleTime: formatTime(clock.now()) } : {}),
  });
}

const FOUND: Condition = {
  type: 'AbleToScale',
  status: 'True',
  reason: 'SucceededGetScale',
  message: "the HPA controller was able to get the target's current scale",
};

async function rescale(
  { events }: World,
  { autoscaler, target }: Scaling,
  { replicas, reason }: ScalingPlan,
): Promise<Condition> {
  try {
    await target.set(replicas);
  } catch (error) {
    const problem = messageOf(error);
    events.event(autoscaler, 'Warning', 'FailedRescale', `New size: ${replicas}; reason: ${reason}; error: ${problem}`);
    const message = `the HPA controller was unable to update the target scale: ${problem}`;
    return { type: 'AbleToScale', status: 'False', reason: 'FailedUpdateScale', message };
  }
  events.event(autoscaler, 'Normal', 'SuccessfulRescale', `New size: ${replicas}; reason: ${reason}`);
  const message = `the HPA controller was able to update the target scale to ${replicas}`;
  return { type: 'AbleToScale', status: 'True', reason: 'SucceededRescale', message };
}

interface Planned {
  readonly plan: ScalingPlan;
  /** Undefined where no metric was asked. */
  readonly currentMetrics?: readonly MetricStatus[];
}

async function planFor(world: World, key: string, { autoscaler, target }: Scaling): Promise<Planned> {
  const { spec } = autoscaler;
  const { replicas: current, selector } = target;
  const history = world.histories.get(key) ?? NO_HISTORY;
  const unmeasured = planUnmeasured({ spec, current, history });
  if (unmeasured !== undefined) return { plan: unmeasured };
  const obstacle = obstacleOf(world, autoscaler, selector);
  if (obstacle !== undefined) return { plan: stuck(current, history, obstacle) };
  const readings = needsReadings(spec) ? await read(world, autoscaler, selector) : { metrics: [] };
  const pods = podsOf(world, autoscaler, selector);
  const now = world.clock.now();
  const judged = judgeMetrics({ spec, current, pods, readings, now });
  const currentMetrics = judged.flatMap((each) => ('status' in each ? [each.status] : []));
  return { plan: planScaling({ spec, current, judged, history, now }), currentMetrics };
}

/** What makes every metric meaningless. */
function obstacleOf({ autoscalers }: World, autoscaler: HorizontalPodAutoscaler, selector: string) {
  if (selector === '') return { reason: 'InvalidSelector', message: "the HPA target's scale is missing a selector" };
  const { namespace = '', uid } = autoscaler.metadata;
  const rivals = autoscalers.cache
    .inNamespace(namespace)
    .filter((other) => other.metadata.uid !== uid && hasSameTarget(other, autoscaler));
  if (rivals.length === 0) return undefined;
  const names = [autoscaler, ...rivals].map(keyOf).sort((one, other) => (one < other ? -1 : 1));
  return {
    reason: 'AmbiguousSelector',
    message: `pods by selector ${selector} are controlled by multiple HPAs: [${names.join(' ')}]`,
  };
}

function hasSameTarget(one: HorizontalPodAutoscaler, other: HorizontalPodAutoscaler): boolean {
  const [mine, yours] = [one.spec.scaleTargetRef, other.spec.scaleTargetRef];
  return mine.kind === yours.kind && mine.name === yours.name && mine.apiVersion === yours.apiVersion;
}

function stuck(current: number, history: History, failure: { reason: string; message: string }): ScalingPlan {
  const { reason, message } = failure;
  const conditions = [{ type: 'ScalingActive', status: 'False', reason, message }];
  return { replicas: current, reason: '', conditions, history, failure };
}

async function read({ client }: World, { metadata }: KubeObject, labelSelector: string): Promise<Readings> {
  const { namespace = '' } = metadata;
  try {
    const { items } = await client.list<PodMetrics>(
      { ...METRICS_GROUP, resource: 'pods' },
      { namespace, labelSelector },
    );
    return { metrics: items };
  } catch (error) {
    return { problem: `unable to fetch metrics from resource metrics API: ${messageOf(error)}` };
  }
}

function podsOf({ pods }: World, { metadata }: KubeObject, selector: string): readonly Pod[] {
  const labels = parseLabelSelector(selector);
  return pods.cache.inNamespace(metadata.namespace ?? '').filter((pod) => labels.matches(pod.metadata.labels));
}

interface StatusNews extends Partial<Omit<HorizontalPodAutoscalerStatus, 'conditions' | 'currentMetrics'>> {
  readonly conditions: readonly Condition[];
  readonly currentMetrics?: readonly MetricStatus[];
}

async function writeStatus(
  { client, clock }: World,
  autoscaler: HorizontalPodAutoscaler,
  { conditions: news, currentMetrics, ...numbers }: StatusNews,
): Promise<void> {
  const old = autoscaler.status;
  const lastTransitionTime = formatTime(clock.now());
  // The last word on a type counts.
  const last = [...new Map(news.map((condition) => [condition.type, condition])).values()];
  const conditions = last.reduce(
    (all, condition) => withCondition(all, { ...condition, lastTransitionTime }),
    [...(old?.conditions ?? [])],
  );
  const status: HorizontalPodAutoscalerStatus = {
    desiredReplicas: 0,
    ...old,
    ...numbers,
    conditions,
    ...(currentMetrics === undefined ? {} : { currentMetrics: [...currentMetrics] }),
  };
  if (isSameStatus(status, old)) return;
  await client.update<HorizontalPodAutoscaler>(
    HORIZONTAL_POD_AUTOSCALERS,
    { ...autoscaler, status },
    { subresource: 'status' },
  );
}
