export { checkDeviceWrite, type DeviceLookups, type DeviceWrite } from './admission.ts';
export { runDeviceControllers } from './controllers.ts';
