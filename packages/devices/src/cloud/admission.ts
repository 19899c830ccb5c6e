/** What the cloud asks of writes to models and devices: the same checks that the node makes, before anything is stored. Pure. */
import type { FieldError, KubeObject } from '@skerry/api';
import { compileLoop, LoopError } from '../control/program.ts';
import { forbidden } from '../models/field-errors.ts';
import { brokenByChange, childrenOf } from '../models/model-change.ts';
import { resolveModel } from '../models/resolve-model.ts';
import { type OtherListeners, validateBroker } from '../models/validate-broker.ts';
import { validateDevice } from '../models/validate-device.ts';
import { validateModel } from '../models/validate-model.ts';
import { protocolNamed } from '../protocols/index.ts';
import type { ControlLoop } from '../resources/control-loop.ts';
import type { Device } from '../resources/device.ts';
import type { DeviceModel } from '../resources/device-model.ts';
import type { DeviceProposal } from '../resources/discovery.ts';
import type { MqttBroker } from '../resources/mqtt-broker.ts';

export interface DeviceWrite {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE';
  readonly kind: string;
  /** As it would be; for DELETE what goes. Its structure is in order. */
  readonly object: KubeObject;
  readonly old?: KubeObject;
  /** The node that writes, where one does. */
  readonly node?: string;
}

export interface DeviceLookups extends OtherListeners {
  readonly model: (name: string) => DeviceModel | undefined;
  readonly models: () => readonly DeviceModel[];
  readonly devices: () => readonly Device[];
}

/** So many devices are named in one refusal. */
const MAX_NAMED = 20;

/** Nothing: it may be done. A device may come before its model, as it may from any `kubectl apply` of a folder. */
export function checkDeviceWrite(write: DeviceWrite, lookups: DeviceLookups): readonly FieldError[] {
  switch (write.kind) {
    case 'DeviceModel':
      return checkModelWrite(write, lookups);
    case 'Device':
      return checkDevice(write, lookups);
    case 'DeviceProposal':
      return checkProposal(write);
    case 'ControlLoop':
      return checkLoop(write);
    case 'MqttBroker':
      return checkBroker(write, lookups);
    default:
      return [];
  }
}

function checkDevice({ operation, object, old }: DeviceWrite, lookups: DeviceLookups): readonly FieldError[] {
  if (operation === 'DELETE' || isSameSpec(object, old)) return [];
  const device = object as Device;
  const model = resolveModel(device.spec.model.name, lookups.model);
  return validateDevice(device, typeof model === 'string' ? undefined : model, protocolNamed(device.spec.protocol));
}

/** A node proposes for itself, and says no yes to its own proposals. */
function checkProposal({ operation, object, old, node }: DeviceWrite): readonly FieldError[] {
  if (operation === 'DELETE' || node === undefined) return [];
  const { spec } = object as DeviceProposal;
  const decided = (old as DeviceProposal | undefined)?.spec.decision;
  return [
    ...(spec.node === node ? [] : [forbidden('spec.node', `node ${node} proposes for itself only`)]),
    ...(spec.decision === decided ? [] : [forbidden('spec.decision', 'a node decides nothing about what it proposes')]),
  ];
}

function checkLoop({ operation, object, old }: DeviceWrite): readonly FieldError[] {
  if (operation === 'DELETE' || isSameSpec(object, old)) return [];
  try {
    compileLoop((object as ControlLoop).spec);
    return [];
  } catch (error) {
    if (error instanceof LoopError) return [forbidden(error.path, error.message)];
    throw error;
  }
}

function checkBroker({ operation, object, old }: DeviceWrite, lookups: DeviceLookups): readonly FieldError[] {
  if (operation === 'DELETE' || isSameSpec(object, old)) return [];
  return validateBroker(object as MqttBroker, lookups);
}

function checkModelWrite({ operation, object, old }: DeviceWrite, lookups: DeviceLookups): readonly FieldError[] {
  if (operation !== 'DELETE' && isSameSpec(object, old)) return [];
  const model = object as DeviceModel;
  const name = model.metadata.name ?? '';
  if (operation === 'DELETE') return [...checkChildren(name, lookups), ...checkBroken(name, undefined, lookups)];
  const errors = validateModel(model, lookups.model, old as DeviceModel | undefined);
  return errors.length > 0 || operation === 'CREATE' ? errors : checkBroken(name, model, lookups);
}

function checkChildren(name: string, { models }: DeviceLookups): readonly FieldError[] {
  const children = childrenOf(name, models());
  return children.length === 0 ? [] : [forbidden('metadata.name', `models extend it: ${named(children)}`)];
}

function checkBroken(name: string, after: DeviceModel | undefined, lookups: DeviceLookups): readonly FieldError[] {
  const broken = brokenByChange(name, after, lookups.model, lookups.devices());
  if (broken.length === 0) return [];
  if (after === undefined)
    return [forbidden('metadata.name', `devices are bound to it: ${named(broken.map(({ device }) => device))}`)];
  const list = named(broken.map(({ device, why }) => `${device} (${why})`));
  return [forbidden('spec', `the change would break devices that are bound to it: ${list}`)];
}

function named(names: readonly string[]): string {
  const more = names.length - MAX_NAMED;
  return `${names.slice(0, MAX_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function isSameSpec(object: KubeObject, old: KubeObject | undefined): boolean {
  return old !== undefined && JSON.stringify(object['spec']) === JSON.stringify(old['spec']);
}
