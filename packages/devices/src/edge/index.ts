/** Devices at a node: the contract of drivers. */
export type {
  BrowseEntry,
  CallParameter,
  CallRequest,
  DeviceSettings,
  DiscoveryRequest,
  Driver,
  DriverContext,
  EventPoint,
  EventSink,
  FoundDevice,
  HistoryRequest,
  Point,
  PointWrite,
  ReadGroup,
  SampleSink,
  Session,
  Trust,
} from './driver.ts';
export {
  DRIVER_ERROR_KINDS,
  DriverError,
  type DriverErrorKind,
  driverErrorOf,
  isDriverError,
  qualityOf,
} from './driver-error.ts';
export { createModbus, type ModbusDriverOptions } from './drivers/modbus/driver.ts';
