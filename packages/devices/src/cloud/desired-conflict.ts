/** Who wins where cloud and edge have both changed what is desired of a property, while they could not hear each other. Pure. */
import type { KubeObject } from '@skerry/api';
import type { Desired, Device } from '../resources/device.ts';

export interface DesiredConflict {
  /** As the cloud has it. */
  readonly object: KubeObject;
  readonly path: readonly string[];
  readonly current: unknown;
  readonly value: unknown;
}

/** By the rule of the property's visitor. A wish that was taken back has no time, and so is not the last. */
export function edgeWinsDesired({ object, path, current, value }: DesiredConflict): boolean {
  const [spec, desired, property] = path;
  if (object.kind !== 'Device' || spec !== 'spec' || desired !== 'desired') return false;
  const visitor = (object as Device).spec.visitors?.find((each) => each.property === property);
  switch (visitor?.writeRule) {
    case 'edge-wins':
      return (current as Partial<Desired> | undefined)?.force !== true;
    case 'last-writer':
      return timeOf(value) > timeOf(current);
    default:
      return false;
  }
}

function timeOf(wish: unknown): number {
  const { at } = (wish ?? {}) as Partial<Desired>;
  return at === undefined ? 0 : Date.parse(at) || 0;
}
