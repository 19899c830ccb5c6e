export { checkDeviceWrite, type DeviceLookups, type DeviceWrite } from './admission.ts';
export { runDeviceControllers } from './controllers.ts';
export { edgeWinsDesired } from './desired-conflict.ts';
