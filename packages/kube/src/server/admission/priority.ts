/** Names of priority classes become numbers, once, when a pod is made. */

import type { KubeObject } from '@skerry/api';
import { keyPrefix } from '../../store/key.ts';
import { type AdmissionStep, type Admitted, type Engine, groupResource } from '../engine.ts';
import { toServedObject } from '../object-text.ts';
import { forbidden } from '../statuses.ts';
import { isNewPod, lookUp, specOf } from './lookup.ts';

const GROUP = 'scheduling.k8s.io';
const RESOURCE = 'priorityclasses';

/** Known to every cluster, whether somebody made the objects or not. */
const SYSTEM_CLASSES: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

const DEFAULT_POLICY = 'PreemptLowerPriority';

interface PriorityClass {
  readonly name: string;
  readonly value: number;
  readonly preemptionPolicy: string;
}

export const priority: AdmissionStep = {
  name: 'Priority',
  admit: (engine, admitted) => {
    if (isNewPod(admitted)) resolvePriority(engine, admitted);
  },
};

function resolvePriority(engine: Engine, admitted: Admitted): void {
  const spec = specOf(admitted.object);
  const named = spec.priorityClassName ?? '';
  const found = named === '' ? defaultClass(engine) : findClass(engine, named);
  if (named !== '' && found === undefined) refuse(admitted, `no PriorityClass with name ${named} was found`);
  const { name = '', value = 0, preemptionPolicy = DEFAULT_POLICY } = found ?? {};
  if (spec.priority !== undefined && spec.priority !== value) {
    refuse(
      admitted,
      `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
    );
  }
  if (name !== '') spec.priorityClassName = name;
  spec.priority = value;
  spec.preemptionPolicy ??= preemptionPolicy;
}

function findClass(engine: Engine, name: string): PriorityClass | undefined {
  const stored = lookUp(engine, GROUP, RESOURCE, { name });
  if (stored !== undefined) return toClass(stored);
  const value = Object.hasOwn(SYSTEM_CLASSES, name) ? SYSTEM_CLASSES[name] : undefined;
  return value === undefined ? undefined : { name, value, preemptionPolicy: DEFAULT_POLICY };
}

function defaultClass({ store }: Engine): PriorityClass | undefined {
  const { items } = store.list(keyPrefix(GROUP, RESOURCE));
  const defaults = items.map((item) => toServedObject(item)).filter((one) => one['globalDefault'] === true);
  return defaults.map(toClass).sort((left, right) => left.value - right.value)[0];
}

function toClass(object: KubeObject): PriorityClass {
  const { value, preemptionPolicy } = object as unknown as { value?: number; preemptionPolicy?: string };
  return {
    name: object.metadata.name ?? '',
    value: value ?? 0,
    preemptionPolicy: preemptionPolicy ?? DEFAULT_POLICY,
  };
}

function refuse({ kind, name }: Admitted, why: string): never {
  throw forbidden(groupResource(kind), name, why);
}
