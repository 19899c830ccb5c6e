/** A process of its own for benchmarks: a simulated Modbus device on so many ports. Says them by message; ends with its parent. */
import { listenModbus, ModbusServer, ModbusUnit } from '@skerry/devices/simulators';

const ports: number[] = [];
for (let count = Number(process.argv[2]); count > 0; count--) {
  const unit = new ModbusUnit();
  for (let at = 0; at < 1000; at++) unit.holdingRegisters.set([at >> 8, at & 0xff], at * 2);
  const { port } = await listenModbus(new ModbusServer(new Map([[1, unit]])));
  ports.push(port);
}
process.send?.(ports);
process.once('disconnect', () => process.exit(0));
