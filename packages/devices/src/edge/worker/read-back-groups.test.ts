import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ScratchWorker, scratchWorker } from '../testing/scratch-worker.ts';
import type { DriverLoader } from './drivers.ts';

const NAMES = Array.from({ length: 8 }, (_, at) => `p${at}`);

/** Every list of the names: more than have a group of their own. */
const LISTS = Array.from({ length: 2 ** NAMES.length - 1 }, (_, at) =>
  NAMES.filter((_, bit) => ((at + 1) >> bit) % 2 === 1),
);

const never = new AbortController().signal;

test('however often and in whatever lists values are read back, a driver is asked for few groups', async () => {
  let groups = 0;
  const counting: DriverLoader = async () => ({
    protocol: 'simulator',
    connect: async (settings, context) => {
      const session = await scratch.simulator.connect(settings, context);
      return {
        ended: session.ended,
        close: () => session.close(),
        group: (points) => {
          groups++;
          return session.group(points);
        },
      };
    },
  });
  await using scratch: ScratchWorker = await scratchWorker({ simulator: counting });
  await scratch.model('model', { properties: NAMES.map((name) => ({ name, type: 'int16', access: 'ReadWrite' })) });
  await scratch.device('tank', {
    visitors: NAMES.map((property, value) => ({ property, address: { signal: 'Memory', initial: { value } } })),
  });
  await scratch.until('the connection', async () => (await scratch.get('tank')).status?.state === 'Connected');
  const device = scratch.worker.devices.get('default', 'tank');
  for (let turn = 0; turn < 2; turn++)
    for (const list of LISTS)
      assert.deepEqual(await device?.readBack(list, never), new Map(list.map((name) => [name, NAMES.indexOf(name)])));
  assert.ok(groups <= 1 + NAMES.length + 64, `${groups} groups`);
});
