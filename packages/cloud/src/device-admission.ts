/** Devices and their models are held against each other before they are stored. */
import { type FieldError, type KubeObject, StatusError } from '@skerry/api';
import { validate } from '@skerry/api/walker';
import {
  DEVICE_MODELS,
  DEVICES,
  DEVICES_GROUP,
  type Device,
  type DeviceModel,
  MQTT_BROKERS,
  type MqttBroker,
  OPCUA_SERVERS,
  type OpcUaServer,
} from '@skerry/devices';
import { checkDeviceWrite } from '@skerry/devices/cloud';
import type { AdmissionStep } from '@skerry/kube/server';
import { keyPrefix, type Store } from '@skerry/kube/store';
import { nodeOf } from '@skerry/security/policy';
import { readObject } from './store-reader.ts';

/** What only a look at other objects can tell; a body whose structure is not in order is left to validation. */
export const deviceStep: AdmissionStep = {
  name: 'SkerryDevices',
  admit: ({ store }, { operation, kind, name, subresource, object, old, user }) => {
    const { gvr, gvk } = kind.row;
    if (gvr.group !== DEVICES_GROUP || subresource !== undefined) return;
    const { schema } = kind;
    if (operation !== 'DELETE' && schema !== undefined && validate(object, schema).length > 0) return;
    const node = nodeOf(user);
    const write = {
      operation,
      kind: gvk.kind,
      object,
      ...(old === undefined ? {} : { old }),
      ...(node === undefined ? {} : { node }),
    };
    const errors = checkDeviceWrite(write, {
      model: (wanted) =>
        readObject(store, { ...DEVICE_MODELS, namespace: '', name: wanted }) as DeviceModel | undefined,
      models: () => all<DeviceModel>(store, DEVICE_MODELS.resource),
      devices: () => all<Device>(store, DEVICES.resource),
      brokers: () => all<MqttBroker>(store, MQTT_BROKERS.resource),
      servers: () => all<OpcUaServer>(store, OPCUA_SERVERS.resource),
    });
    if (errors.length > 0) throw refusal(gvk.kind, name, errors);
  },
};

function all<T extends KubeObject>(store: Store, resource: string): readonly T[] {
  return store.list(keyPrefix(DEVICES_GROUP, resource)).items.map(({ json }) => JSON.parse(json) as T);
}

/** So many causes stand in one answer. */
const MAX_CAUSES = 100;

function refusal(kind: string, name: string, errors: readonly FieldError[]): StatusError {
  const kept = errors.slice(0, MAX_CAUSES);
  const sentences = kept.map(({ message }) => message);
  const summary = sentences.length === 1 ? sentences[0] : `[${sentences.join(', ')}]`;
  return new StatusError(422, 'Invalid', `${kind}.${DEVICES_GROUP} "${name}" is invalid: ${summary}`, {
    name,
    group: DEVICES_GROUP,
    kind,
    causes: kept.map(({ reason, message, path }) => ({ reason, message, field: path })),
  });
}
