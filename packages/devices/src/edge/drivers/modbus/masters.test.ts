import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger, systemClock } from '@skerry/base';
import { listenModbus, ModbusServer } from '../../../simulators/modbus/server.ts';
import { ModbusUnit } from '../../../simulators/modbus/unit.ts';
import { pointOf, settingsOf } from '../../conformance/index.ts';
import { createModbus } from './driver.ts';

test('several masters at one device each have the answers to what they asked', async () => {
  const unit = new ModbusUnit({ size: 100 });
  for (let at = 0; at < 50; at++) unit.holdingRegisters.set([0, at], at * 2);
  await using listening = await listenModbus(new ModbusServer(new Map([[1, unit]])));
  const context = { clock: systemClock, log: silentLogger, signal: new AbortController().signal };
  const masters = await Promise.all(
    [0, 1, 2, 3].map(async (master) => {
      const driver = createModbus({ clock: systemClock });
      const settings = settingsOf({ endpoint: `tcp://127.0.0.1:${listening.port}`, timeoutMs: 20_000 });
      return { master, driver, session: await driver.connect(settings, context) };
    }),
  );
  const work = masters.map(async ({ master, driver, session }) => {
    for (let turn = 0; turn < 20; turn++) {
      const read: unknown[] = [];
      const sink = { value: (_at: number, raw: unknown) => void read.push(raw), fail: () => {} };
      await session
        .group([pointOf('own', 'uint16', { address: master * 10 + (turn % 10) })])
        .read(sink, context.signal);
      assert.deepEqual(read, [master * 10 + (turn % 10)]);
      const point = pointOf('written', 'uint16', { address: 60 + master });
      await session.write?.([{ point, value: Uint8Array.of(master, turn) }], context.signal);
    }
    await driver.close?.();
  });
  await Promise.all(work);
  assert.deepEqual(Array.from(unit.holdingRegisters.slice(120, 128)), [0, 19, 1, 19, 2, 19, 3, 19]);
});
