/** Devices that are not there, for tests, benches and demos: servers of the protocols that drivers speak. */
export {
  type ListeningServer,
  type ListenOptions,
  listenModbus,
  type ModbusFault,
  ModbusServer,
} from './modbus/server.ts';
export { ModbusUnit, type UnitOptions } from './modbus/unit.ts';
