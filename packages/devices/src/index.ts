/** What both shores know of devices: kinds, models, values. */

export { protocols } from './protocols/index.ts';
export type { Protocol } from './protocols/protocol.ts';
export type { ControlLoop } from './resources/control-loop.ts';
export { deviceCrds } from './resources/definitions.ts';
export type { Device } from './resources/device.ts';
export type { DeviceModel } from './resources/device-model.ts';
export type { DeviceDiscovery, DeviceProposal } from './resources/discovery.ts';
export {
  CONTROL_LOOPS,
  DEVICE_DISCOVERIES,
  DEVICE_MODELS,
  DEVICE_PROPOSALS,
  DEVICES,
  DEVICES_API_VERSION,
  DEVICES_GROUP,
  MQTT_BROKERS,
  OPCUA_SERVERS,
  TRUST_LISTS,
} from './resources/group.ts';
export type { MqttBroker } from './resources/mqtt-broker.ts';
export type { OpcUaServer } from './resources/opcua-server.ts';
export type { TrustList } from './resources/trust-list.ts';
