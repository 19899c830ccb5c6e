/** Which devices a change of a model would break: those that were in order, and would not be any more. Pure. */
import { protocolNamed } from '../protocols/index.ts';
import type { Device } from '../resources/device.ts';
import type { DeviceModel } from '../resources/device-model.ts';
import { isSameType } from '../values/value-type.ts';
import { type ModelLookup, type ResolvedModel, resolveModel } from './resolve-model.ts';
import { validateDevice } from './validate-device.ts';

export interface BrokenDevice {
  /** `NAMESPACE/NAME`. */
  readonly device: string;
  readonly why: string;
}

/** `after` undefined: the model goes. `devices`: those of any model. */
export function brokenByChange(
  name: string,
  after: DeviceModel | undefined,
  lookup: ModelLookup,
  devices: readonly Device[],
): readonly BrokenDevice[] {
  const changed: ModelLookup = (wanted) => (wanted === name ? after : lookup(wanted));
  const before = new Map<string, ResolvedModel | string>();
  const then = new Map<string, ResolvedModel | string>();
  return devices.flatMap((device) => {
    const model = device.spec.model.name;
    const old = memoized(before, model, lookup);
    if (typeof old === 'string' || !old.lineage.includes(name)) return [];
    const why = whyBroken(device, old, memoized(then, model, changed));
    return why === undefined ? [] : [{ device: `${device.metadata.namespace}/${device.metadata.name}`, why }];
  });
}

function memoized(
  known: Map<string, ResolvedModel | string>,
  name: string,
  lookup: ModelLookup,
): ResolvedModel | string {
  const found = known.get(name) ?? resolveModel(name, lookup);
  known.set(name, found);
  return found;
}

function whyBroken(device: Device, old: ResolvedModel, next: ResolvedModel | string): string | undefined {
  if (typeof next === 'string') return `model ${old.name} ${next}`;
  for (const { property } of device.spec.visitors ?? []) {
    const [was, is] = [old.properties.get(property), next.properties.get(property)];
    if (was === undefined || is === undefined) continue;
    // Whoever reads its values would read something else.
    if (!isSameType(was.valueType, is.valueType)) return `${property} would be ${is.type} instead of ${was.type}`;
    if (was.unit !== is.unit)
      return `${property} would be in ${is.unit ?? 'no unit'} instead of ${was.unit ?? 'no unit'}`;
  }
  const protocol = protocolNamed(device.spec.protocol);
  if (validateDevice(device, old, protocol).length > 0) return undefined;
  return validateDevice(device, next, protocol)[0]?.message;
}

/** Models that extend this one themselves. */
export function childrenOf(name: string, models: readonly DeviceModel[]): readonly string[] {
  return models.filter(({ spec }) => spec.extends === name).map(({ metadata }) => metadata.name ?? '');
}
