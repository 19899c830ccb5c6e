/**
 * autoscaling/v1 HorizontalPodAutoscaler, from v2 and back. What v1 has no field for stands in annotations, in the form that
 * Kubernetes has always written there, so that nothing is lost on a client of v1.
 */
import { at, isObject, type JsonObject, objectAt, objectsAt, setMember } from '../json.ts';
import type { KubeObject, ObjectMeta } from '../object.ts';
import type { Conversion } from './conversion.ts';

const PREFIX = 'autoscaling.alpha.kubernetes.io';
const METRICS = `${PREFIX}/metrics`;
const CURRENT_METRICS = `${PREFIX}/current-metrics`;
const CONDITIONS = `${PREFIX}/conditions`;
const BEHAVIOR = `${PREFIX}/behavior`;
const ANNOTATIONS: readonly string[] = [METRICS, CURRENT_METRICS, CONDITIONS, BEHAVIOR];

export const autoscalerV1: Conversion = { toServed: toV1, toStored: fromV1 };

function toV1(object: KubeObject): KubeObject {
  const { metrics: _m, behavior, ...spec } = objectAt(object, 'spec');
  const { currentMetrics: _c, conditions, ...status } = objectAt(object, 'status');
  const metrics = objectsAt(object, 'spec', 'metrics');
  const current = objectsAt(object, 'status', 'currentMetrics');
  const target = metrics.find((metric) => isCpuUtilization(metric, 'target'));
  const reached = current.find((metric) => isCpuUtilization(metric, 'current'));
  const kept = {
    [METRICS]: metrics.filter((metric) => metric !== target).map((metric) => oldForm(metric, 'target')),
    [CURRENT_METRICS]: current.filter((metric) => metric !== reached).map((metric) => oldForm(metric, 'current')),
    [CONDITIONS]: conditions,
    [BEHAVIOR]: behavior,
  };
  return {
    ...object,
    apiVersion: 'autoscaling/v1',
    metadata: withAnnotations(object.metadata, kept),
    spec: { ...spec, ...utilization('targetCPUUtilizationPercentage', target, 'target') },
    ...(object['status'] === undefined
      ? {}
      : { status: { ...status, ...utilization('currentCPUUtilizationPercentage', reached, 'current') } }),
  };
}

function fromV1(object: KubeObject): KubeObject {
  const { targetCPUUtilizationPercentage: target, ...spec } = objectAt(object, 'spec');
  const { currentCPUUtilizationPercentage: reached, ...status } = objectAt(object, 'status');
  const behavior = annotation(object, BEHAVIOR);
  const conditions = annotation(object, CONDITIONS);
  const metrics = [...metricsIn(object, METRICS, 'target'), ...cpuUtilization(target, 'target')];
  const currentMetrics = [...metricsIn(object, CURRENT_METRICS, 'current'), ...cpuUtilization(reached, 'current')];
  return {
    ...object,
    apiVersion: 'autoscaling/v2',
    metadata: withoutAnnotations(object.metadata),
    spec: { ...spec, ...(metrics.length === 0 ? {} : { metrics }), ...(isObject(behavior) ? { behavior } : {}) },
    ...(object['status'] === undefined
      ? {}
      : { status: { ...status, currentMetrics, ...(Array.isArray(conditions) ? { conditions } : {}) } }),
  };
}

// ——— metrics ———

/** Whether a metric is what somebody wants, or what is. */
type Side = 'target' | 'current';

const RESOURCE = [
  ['name', 'name'],
  ['#AverageUtilization', '#.averageUtilization'],
  ['#AverageValue', '#.averageValue'],
] as const;

/** Where the fields of a metric are in the old form, and where in the new one; `#` is the side. */
const FIELDS: Readonly<Record<string, readonly (readonly [old: string, now: string])[]>> = {
  resource: RESOURCE,
  containerResource: [...RESOURCE, ['container', 'container']],
  pods: [
    ['metricName', 'metric.name'],
    ['selector', 'metric.selector'],
    ['#AverageValue', '#.averageValue'],
  ],
  object: [
    ['target', 'describedObject'],
    ['metricName', 'metric.name'],
    ['selector', 'metric.selector'],
    ['#Value', '#.value'],
    ['averageValue', '#.averageValue'],
  ],
  external: [
    ['metricName', 'metric.name'],
    ['metricSelector', 'metric.selector'],
    ['#Value', '#.value'],
    ['#AverageValue', '#.averageValue'],
  ],
};

/** In the order in which a target of several kinds would be read. */
const TARGET_TYPES = [
  ['averageUtilization', 'Utilization'],
  ['averageValue', 'AverageValue'],
  ['value', 'Value'],
] as const;

function oldForm(metric: JsonObject, side: Side): JsonObject {
  return reshaped(metric, (source, fields) => {
    const old: JsonObject = {};
    for (const [name, path] of fields) {
      const value = at(source, ...path.replace('#', side).split('.'));
      if (value !== undefined) old[name.replace('#', side)] = value;
    }
    return old;
  });
}

function newForm(metric: JsonObject, side: Side): JsonObject {
  return reshaped(metric, (old, fields) => {
    const source: JsonObject = {};
    for (const [name, path] of fields) {
      const value = old[name.replace('#', side)];
      if (value !== undefined) setAt(source, path.replace('#', side).split('.'), value);
    }
    const target = objectAt(source, 'target');
    const type = TARGET_TYPES.find(([field]) => target[field] !== undefined)?.[1];
    return side === 'current' || type === undefined ? source : { ...source, target: { type, ...target } };
  });
}

/** `type`, and what stands under the name of that type in another shape. */
function reshaped(
  metric: JsonObject,
  shape: (source: JsonObject, fields: (typeof FIELDS)[string]) => JsonObject,
): JsonObject {
  const known = Object.keys(FIELDS).filter((name) => isObject(metric[name]));
  const shaped = known.map((name) => [name, shape(objectAt(metric, name), FIELDS[name] ?? [])]);
  return { type: metric['type'], ...Object.fromEntries(shaped) };
}

function setAt(object: JsonObject, [first = '', ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) {
    setMember(object, first, value);
    return;
  }
  const child = objectAt(object, first);
  setAt(child, rest, value);
  setMember(object, first, child);
}

/** The one metric that v1 has a field for. */
function isCpuUtilization(metric: JsonObject, side: Side): boolean {
  const { name, [side]: value } = objectAt(metric, 'resource');
  return name === 'cpu' && isObject(value) && typeof value['averageUtilization'] === 'number';
}

function utilization(field: string, metric: JsonObject | undefined, side: Side): JsonObject {
  return metric === undefined ? {} : { [field]: at(metric, 'resource', side, 'averageUtilization') };
}

function cpuUtilization(percent: unknown, side: Side): JsonObject[] {
  if (typeof percent !== 'number') return [];
  const type = side === 'target' ? { type: 'Utilization' } : {};
  return [{ type: 'Resource', resource: { name: 'cpu', [side]: { ...type, averageUtilization: percent } } }];
}

// ——— annotations ———

function metricsIn(object: KubeObject, name: string, side: Side): JsonObject[] {
  const list = annotation(object, name);
  return Array.isArray(list) ? list.filter(isObject).map((metric) => newForm(metric, side)) : [];
}

/** What an annotation says in JSON; undefined when it says nothing that can be read. */
function annotation({ metadata }: KubeObject, name: string): unknown {
  try {
    return JSON.parse(metadata.annotations?.[name] ?? '') as unknown;
  } catch {
    return undefined;
  }
}

function withAnnotations(metadata: ObjectMeta, kept: Readonly<Record<string, unknown>>): ObjectMeta {
  const isKept = ([, value]: [string, unknown]) => (Array.isArray(value) ? value.length > 0 : isObject(value));
  const texts = Object.entries(kept)
    .filter(isKept)
    .map(([name, value]) => [name, JSON.stringify(value)] as const);
  if (texts.length === 0) return metadata;
  return { ...metadata, annotations: { ...metadata.annotations, ...Object.fromEntries(texts) } };
}

function withoutAnnotations({ annotations, ...metadata }: ObjectMeta): ObjectMeta {
  if (annotations === undefined) return metadata;
  const others = Object.entries(annotations).filter(([name]) => !ANNOTATIONS.includes(name));
  return others.length === 0 ? metadata : { ...metadata, annotations: Object.fromEntries(others) };
}
