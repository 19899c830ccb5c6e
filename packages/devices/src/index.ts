/** What both shores know of devices: kinds, models, values. */
export { deviceCrds } from './resources/definitions.ts';
export type { Device, DeviceSpec, DeviceStatus } from './resources/device.ts';
export type { DeviceModel } from './resources/device-model.ts';
export { DEVICE_MODELS, DEVICES, DEVICES_GROUP } from './resources/group.ts';
