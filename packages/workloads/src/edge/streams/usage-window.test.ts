import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FakeClock, fakeClock } from '@skerry/testkit';
import fc from 'fast-check';
import type { UsageReport } from '../../usage/report.ts';
import type { Measured } from './metrics.ts';
import { usageWindow } from './usage-window.ts';

const MIB = 1024 * 1024;

/** A node with one container that always uses `cores`, and nothing else. */
function busyNode(cores: () => number, startedAt = 0) {
  const clock = fakeClock({ start: 1000 });
  let last = 0;
  let nanoseconds = 0;
  let measurements = 0;
  const measure = async (): Promise<Measured> => {
    measurements++;
    nanoseconds += (clock.monotonic() - last) * 1e6 * cores();
    last = clock.monotonic();
    const usage = { id: 'a', cpuNanoseconds: nanoseconds, memoryBytes: 3 * MIB, workingSetBytes: MIB, processes: 1 };
    const labels = { namespace: 'default', pod: 'web', uid: 'u', container: 'main' };
    return {
      node: 'edge-1',
      now: clock.now(),
      host: { memoryTotal: 8 * MIB, memoryAvailable: 2 * MIB, cpuSeconds: nanoseconds / 1e9 } as Measured['host'],
      containers: [{ ...labels, startedAt, usage }],
    };
  };
  return { clock, ask: usageWindow({ measure, clock }), measured: () => measurements };
}

async function answered(clock: FakeClock, asking: Promise<UsageReport>): Promise<UsageReport> {
  await clock.advance(1000);
  return asking;
}

test('who asks first waits a second for a rate, and gets working sets beside it', async () => {
  const { clock, ask } = busyNode(() => 0.25);
  const report = await answered(clock, ask());
  assert.equal(report.windowMs, 1000);
  assert.deepEqual(report.node, { cpuNanocores: 250_000_000, memoryBytes: 6 * MIB });
  assert.deepEqual(report.pods, [
    {
      namespace: 'default',
      name: 'web',
      containers: [{ name: 'main', cpuNanocores: 250_000_000, memoryBytes: MIB }],
    },
  ]);
});

test('who asks again is answered at once, over the time since', async () => {
  const { clock, ask } = busyNode(() => 0.5);
  await answered(clock, ask());
  await clock.advance(9000);
  const { windowMs, node } = await ask();
  assert.deepEqual([windowMs, node.cpuNanocores], [10_000, 500_000_000]);
});

test('after a long silence the old samples say nothing any more', async () => {
  let cores = 1;
  const { clock, ask } = busyNode(() => cores);
  await answered(clock, ask());
  await clock.advance(120_000);
  cores = 0;
  const { windowMs, node } = await answered(clock, ask());
  assert.ok(windowMs <= 2000, `${windowMs}`);
  assert.equal(node.cpuNanocores, 0);
});

test('callers at the same time share one measurement', async () => {
  const { clock, ask, measured } = busyNode(() => 1);
  const asking = Promise.all([ask(), ask(), ask()]);
  await clock.advance(1000);
  const [one, two, three] = await asking;
  assert.ok(one === two && two === three);
  assert.equal(measured(), 2);
});

test('a container that has just started is measured since its start', async () => {
  const clock = fakeClock({ start: 100_000 });
  let round = 0;
  const measure = async (): Promise<Measured> => {
    const usage = { id: `id-${round}`, cpuNanoseconds: 2e9, memoryBytes: 0, workingSetBytes: 0, processes: 1 };
    const container = {
      namespace: 'default',
      pod: 'web',
      uid: 'u',
      container: 'main',
      startedAt: clock.now() - 4000,
      usage,
    };
    round++;
    const host = { memoryTotal: 0, memoryAvailable: 0, cpuSeconds: 0 } as Measured['host'];
    return { node: 'edge-1', now: clock.now(), host, containers: [container] };
  };
  const report = await answered(clock, usageWindow({ measure, clock })());
  assert.equal(report.pods[0]?.containers[0]?.cpuNanocores, 500_000_000);
});

test('however often somebody asks, a steady load reads as what it is, over a window of at most a minute', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 90_000 }), { maxLength: 30 }), async (pauses) => {
      const { clock, ask } = busyNode(() => 0.75);
      for (const pause of pauses) {
        await clock.advance(pause);
        const report = await answered(clock, ask());
        assert.ok(report.windowMs >= 1000 && report.windowMs <= 61_000, `${report.windowMs}`);
        assert.ok(Math.abs(report.node.cpuNanocores - 750_000_000) <= 1000, `${report.node.cpuNanocores}`);
      }
    }),
    { numRuns: 20 },
  );
});
