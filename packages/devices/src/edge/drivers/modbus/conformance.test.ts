import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import type { FramingName } from '../../../modbus/framing.ts';
import { compileCodec } from '../../../values/codec.ts';
import type { RawValue } from '../../../values/encoding.ts';
import type { Value } from '../../../values/value.ts';
import { type ConformanceBench, conformanceTests, pointOf } from '../../conformance/index.ts';
import { plant } from './testing/plant.ts';

const POINTS = [
  pointOf('power', 'float32', { address: 0 }, { wordOrder: 'little' }),
  pointOf('limit', 'int16', { address: 2 }),
  pointOf('energy', 'uint64', { address: 10 }),
  pointOf('isOn', 'bool', { table: 'Coil', address: 4 }),
  pointOf('label', 'string', { address: 20 }, { length: 8 }),
];
const REGISTERS = [0, 2, 10, undefined, 20];

for (const framing of ['TCP', 'RTU', 'ASCII'] as const)
  conformanceTests(test, `Modbus ${framing}`, ['writes', 'lacks', 'garbles'], () => open(framing));

async function open(framing: FramingName): Promise<ConformanceBench> {
  const made = plant({ 1: { size: 100 } }, framing);
  const unit = made.unit(1);
  const { server } = made;
  const bench: ConformanceBench = {
    driver: made.driver,
    clock: made.clock,
    log: silentLogger,
    settings: made.settings(),
    points: POINTS,
    values: [1.5, -7, 2n ** 60n + 1n, true, 'north'],
    others: [-2.25, 9, 3n, false, 'south'],
    set: async (index, value) => {
      const register = REGISTERS[index];
      if (register === undefined) unit.coils[4] = value === true ? 1 : 0;
      else unit.holdingRegisters.set(wireBytes(index, value), register * 2);
    },
    get: async (index) => {
      const register = REGISTERS[index];
      if (register === undefined) return unit.coils[4] === 1;
      return unit.holdingRegisters.slice(register * 2, register * 2 + (POINTS[index]?.size ?? 0));
    },
    absent: pointOf('absent', 'int16', { address: 101 }),
    settle: (promise) => made.settle(promise),
    cut: async () => {
      made.isAway = true;
      server.cut();
    },
    silence: async () => {
      server.fault = 'Silent';
    },
    garble: async () => {
      server.fault = 'Garbage';
    },
    heal: async () => {
      made.isAway = false;
      server.fault = 'None';
    },
    [Symbol.asyncDispose]: async () => {
      await made.driver.close?.();
    },
  };
  for (const [index, value] of bench.values.entries()) await bench.set(index, value);
  return bench;
}

function wireBytes(index: number, value: RawValue): Uint8Array {
  const point = POINTS[index];
  if (point === undefined) throw new RangeError(`no point ${index}`);
  const bytes = compileCodec(point.type, undefined, point.encoding).encode(value as Value, true);
  if (!(bytes instanceof Uint8Array)) throw new TypeError('no bytes');
  return bytes;
}
