export { checkDeviceWrite, type DeviceLookups, type DeviceWrite } from './admission.ts';
