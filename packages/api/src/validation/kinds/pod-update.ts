/** What of a pod may change after it was made: almost nothing, since a node may run it already. */
import { isObject, type JsonObject, jsonEqual, objectAt, objectsAt } from '../../json.ts';
import { forbidden, invalid } from '../../walker/field-errors.ts';
import { qosClass } from '../strategy.ts';
import type { Faults } from './checks.ts';
import { checkDeadlineUpdate } from './pod.ts';

const MUTABLE_FIELDS =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

/** `subresource` says which door the write came through: binding sets the node, ephemeralcontainers and resize their own fields. */
export function checkPodUpdate(faults: Faults, pod: JsonObject, old: JsonObject, subresource: string): void {
  const spec = objectAt(pod, 'spec');
  const before = objectAt(old, 'spec');
  if (spec === before || jsonEqual(spec, before)) return;
  if (!haveSameContainers(spec, before)) {
    faults.push(forbidden('spec.containers', 'pod updates may not add or remove containers'));
    return;
  }
  checkDeadlineUpdate(faults, spec['activeDeadlineSeconds'], before['activeDeadlineSeconds']);
  checkTolerationsKept(faults, spec['tolerations'], before['tolerations']);
  const isGated = objectsAt(before, 'schedulingGates').length > 0;
  if (!jsonEqual(withMutable(spec, before, { subresource, isGated }), before)) {
    faults.push(forbidden('spec', MUTABLE_FIELDS));
  }
  checkGates(faults, spec, before);
  if (subresource === 'resize') checkResize(faults, spec, before);
}

/** What a node does for a pod in need goes by its class, which it has for life. */
function checkResize(faults: Faults, spec: JsonObject, before: JsonObject): void {
  const wanted = qosClass({ spec });
  if (wanted !== qosClass({ spec: before })) {
    faults.push(invalid('spec', wanted, 'Pod QOS Class may not change as a result of resizing'));
  }
  for (const list of ['containers', 'initContainers']) {
    const old = objectsAt(before, list);
    objectsAt(spec, list).forEach((container, index) => {
      checkResized(faults, `spec.${list}[${index}].resources`, container, old[index] ?? {});
    });
  }
}

const RESIZABLE = new Set(['cpu', 'memory']);

function checkResized(faults: Faults, path: string, container: JsonObject, old: JsonObject): void {
  for (const kind of ['requests', 'limits']) {
    const [wanted, known] = [
      objectAt(objectAt(container, 'resources'), kind),
      objectAt(objectAt(old, 'resources'), kind),
    ];
    for (const name of new Set([...Object.keys(wanted), ...Object.keys(known)])) {
      if (!RESIZABLE.has(name) && !jsonEqual(wanted[name], known[name])) {
        faults.push(forbidden(path, 'only cpu and memory resources are mutable'));
      } else if (wanted[name] === undefined) {
        faults.push(forbidden(`${path}.${kind}`, `resource ${kind} cannot be removed`));
      }
    }
  }
}

function haveSameContainers(spec: JsonObject, before: JsonObject): boolean {
  return ['containers', 'initContainers'].every(
    (field) => objectsAt(spec, field).length === objectsAt(before, field).length,
  );
}

function checkTolerationsKept(faults: Faults, wanted: unknown, before: unknown): void {
  const list: unknown[] = Array.isArray(wanted) ? wanted : [];
  const isKept = (Array.isArray(before) ? before : []).every((old: unknown) =>
    list.some((toleration) => jsonEqual(untimed(toleration), untimed(old))),
  );
  if (!isKept)
    faults.push(forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds'));
}

function untimed(toleration: unknown): unknown {
  return isObject(toleration) ? { ...toleration, tolerationSeconds: undefined } : toleration;
}

interface Door {
  readonly subresource: string;
  readonly isGated: boolean;
}

/** The wanted spec with its changeable fields put back: equal to the old one when nothing else changed. */
function withMutable(spec: JsonObject, before: JsonObject, { subresource, isGated }: Door): JsonObject {
  const fields = ['activeDeadlineSeconds', 'tolerations', 'schedulingGates'];
  if (before['terminationGracePeriodSeconds'] !== undefined && Number(before['terminationGracePeriodSeconds']) < 0) {
    fields.push('terminationGracePeriodSeconds');
  }
  if (subresource === 'binding') fields.push('nodeName');
  if (subresource === 'ephemeralcontainers') fields.push('ephemeralContainers');
  if (isGated) fields.push('nodeSelector', 'affinity');
  const result: JsonObject = { ...spec };
  for (const field of fields) restore(result, before, field);
  const own = subresource === 'resize' ? ['image', 'resources', 'resizePolicy'] : ['image'];
  for (const list of ['containers', 'initContainers']) restoreItems(result, before, list, own);
  return result;
}

function restore(target: JsonObject, before: JsonObject, field: string): void {
  if (before[field] === undefined) delete target[field];
  else target[field] = before[field];
}

function restoreItems(target: JsonObject, before: JsonObject, list: string, fields: readonly string[]): void {
  const items = target[list];
  if (!Array.isArray(items)) return;
  const old = objectsAt(before, list);
  target[list] = items.map((item: unknown, index) => {
    const previous = old[index];
    if (!isObject(item) || previous === undefined) return item;
    const copy = { ...item };
    for (const field of fields) restore(copy, previous, field);
    return copy;
  });
}

/** Gates can only be lifted. */
function checkGates(faults: Faults, spec: JsonObject, before: JsonObject): void {
  const known = new Set(objectsAt(before, 'schedulingGates').map((gate) => gate['name']));
  for (const gate of objectsAt(spec, 'schedulingGates')) {
    if (!known.has(gate['name'])) {
      faults.push(
        invalid('spec.schedulingGates', gate['name'], 'only deletion is allowed, but found new scheduling gate'),
      );
    }
  }
}
