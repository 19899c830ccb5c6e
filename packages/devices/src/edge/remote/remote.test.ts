import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { silentLogger, systemClock } from '@skerry/base';
import { fakeClock, runs } from '@skerry/testkit';
import { eventually } from '@skerry/testkit/processes';
import fc from 'fast-check';
import { type ConformanceBench, conformanceTests, pointOf, settingsOf } from '../conformance/index.ts';
import type { SampleSink } from '../driver.ts';
import { isDriverError } from '../driver-error.ts';
import { createSimulator } from '../drivers/simulator/driver.ts';
import { loopback } from './loopback.ts';
import { remoteDriver } from './remote-driver.ts';
import { serveDriver } from './serve-driver.ts';
import { openSocketDrivers } from './socket-drivers.ts';
import { fromLine, toLine } from './text.ts';
import { driverInThread } from './thread.ts';

const NAMES = ['a', 'b', 'c', 'd'];
const never = new AbortController().signal;

/** The simulator behind a port: what every driver must do, a driver that lives elsewhere must do as well. */
async function remoteBench(pass?: <T>(message: T) => T): Promise<ConformanceBench> {
  const clock = fakeClock();
  const simulator = createSimulator(clock);
  const ports = loopback(pass);
  const serving = serveDriver({ driver: simulator, port: ports.driver, clock, log: silentLogger });
  const driver = remoteDriver('simulator', ports.worker);
  const settings = settingsOf({ name: 'sim' });
  const device = simulator.device(settings.namespace, settings.name);
  const memory = (property: string, type: string, value: unknown) =>
    pointOf(property, type, { signal: 'Memory', initial: { value } });
  return {
    driver,
    clock,
    log: silentLogger,
    settings,
    points: [
      memory('a', 'float64', 1.5),
      memory('b', 'int64', 7),
      memory('c', 'string', 'on'),
      memory('d', 'bool', true),
    ],
    values: [1.5, 7n, 'on', true],
    others: [2.5, 2n ** 62n, 'off', false],
    set: async (index, value) => void device.memory.set(NAMES[index] ?? '', value),
    get: async (index) => device.memory.get(NAMES[index] ?? '') ?? 0,
    absent: pointOf('e', 'float64', { signal: 'Replay' }),
    settle: async (promise) => {
      let isDone = false;
      promise.then(
        () => (isDone = true),
        () => (isDone = true),
      );
      for (let turn = 0; !isDone && turn < 1000; turn++) await clock.advance(100);
      return promise;
    },
    cut: async () => {
      device.fault = 'Unreachable';
      for (const end of device.onCut) end();
    },
    silence: async () => {
      device.fault = 'Silent';
    },
    heal: async () => {
      device.fault = undefined;
    },
    [Symbol.asyncDispose]: async () => {
      ports.breakOff('the test is over');
      await serving;
    },
  };
}

const TRAITS = ['writes', 'subscribes', 'lacks'] as const;
conformanceTests(test, 'a driver in another thread', TRAITS, () => remoteBench());
conformanceTests(test, 'a driver behind lines of text', TRAITS, () =>
  remoteBench((message) => fromLine(toLine(message as object)) as typeof message),
);

test('when a driver is gone, every session ends with the reason, and nothing is asked of it any more', async () => {
  const ports = loopback();
  const driver = remoteDriver('acme', ports.worker);
  const serving = serveDriver({
    driver: createSimulator(systemClock),
    port: ports.driver,
    clock: systemClock,
    log: silentLogger,
  });
  const context = { clock: systemClock, log: silentLogger, signal: never };
  const session = await driver.connect(settingsOf(), context);
  ports.breakOff('it crashed');
  const why = await session.ended;
  assert.ok(isDriverError(why, 'Unreachable'));
  assert.match(why.message, /the driver of acme is gone: it crashed/);
  await assert.rejects(driver.connect(settingsOf(), context), /it crashed/);
  await serving;
});

test('a driver in a real thread reads, and its end is the end of its sessions', async () => {
  const program = new URL('./testing/simulator-thread.ts', import.meta.url);
  const driver = driverInThread('simulator', { program, execArgv: ['--conditions=source'] });
  const context = { clock: systemClock, log: silentLogger, signal: never };
  const session = await driver.connect(settingsOf(), context);
  const seen: unknown[] = [];
  const sink: SampleSink = { value: (index, raw) => (seen[index] = raw), fail: (_index, error) => assert.fail(error) };
  const point = pointOf('a', 'bytes', { signal: 'Constant', initial: { value: Uint8Array.of(1, 2) } });
  await session.group([point]).read(sink, never);
  assert.deepEqual(seen, [Uint8Array.of(1, 2)]);
  await driver.close?.();
  assert.ok(isDriverError(await session.ended, 'Unreachable'));
});

const VALUE = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string(),
    fc.boolean(),
    fc.double(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.uint8Array(),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
})).value;

test('whatever a message holds, it is the same behind a line of text', () =>
  fc.assert(
    fc.property(VALUE, (value) => {
      const back = fromLine(toLine({ value })) as { readonly value: unknown };
      // JSON has no negative zero.
      assert.deepEqual(back.value, withoutNegativeZero(value));
    }),
    { numRuns: runs(200) },
  ));

function withoutNegativeZero(value: unknown): unknown {
  if (Object.is(value, -0)) return 0;
  if (Array.isArray(value)) return value.map(withoutNegativeZero);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, withoutNegativeZero(each)]));
}

interface Visit {
  readonly lines: AsyncIterator<string>;
  say(text: string): void;
  end(): void;
}

async function withSocket(
  story: (visit: () => Visit, drivers: Awaited<ReturnType<typeof openSocketDrivers>>) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-drivers-'));
  const path = join(folder, 'drivers.sock');
  const drivers = await openSocketDrivers({ path, taken: new Set(['modbus']), clock: systemClock, log: silentLogger });
  const visits: Visit[] = [];
  const visit = () => {
    const socket = connect(path);
    socket.on('error', () => {});
    const made = {
      lines: createInterface({ input: socket })[Symbol.asyncIterator](),
      say: (text: string) => void socket.write(text),
      end: () => socket.destroy(),
    };
    visits.push(made);
    return made;
  };
  try {
    await story(visit, drivers);
  } finally {
    for (const each of visits) each.end();
    await drivers.close();
    rmSync(folder, { recursive: true });
  }
}

const next = async ({ lines }: Visit) => JSON.parse((await lines.next()).value ?? 'null') as unknown;

test('a program of somebody else’s says hello, is asked in lines of text, and its devices are read', () =>
  withSocket(async (visit, drivers) => {
    const program = visit();
    program.say('{"hello":{"protocol":"acme","version":1}}\n');
    assert.deepEqual(await next(program), { welcome: { version: 1 } });
    const driver = drivers.find('acme');
    assert.ok(driver !== undefined);
    const context = { clock: systemClock, log: silentLogger, signal: never };
    const connecting = driver.connect(settingsOf({ secret: { password: Uint8Array.of(65) } }), context);
    const asked = (await next(program)) as { id: number; do: string; session: number; settings: { secret: unknown } };
    assert.deepEqual([asked.do, asked.settings.secret], ['connect', { password: { $bytes: 'QQ==' } }]);
    program.say(`{"id":${asked.id},"ok":[]}\n`);
    const session = await connecting;
    const seen: unknown[] = [];
    const sink: SampleSink = {
      value: (index, raw) => (seen[index] = raw),
      fail: (index, error) => (seen[index] = error.kind),
    };
    const reading = session.group([pointOf('a', 'uint64', {}), pointOf('b', 'int8', {})]).read(sink, never);
    const group = (await next(program)) as { id: number };
    program.say(`{"id":${group.id},"ok":null}\n`);
    const read = (await next(program)) as { id: number };
    program.say(`{"id":${read.id},"samples":{"index":[0],"raw":[{"$int":"18446744073709551615"}]}}\n`);
    program.say(`{"id":${read.id},"failures":[[1,{"kind":"Rejected","message":"no"}]]}\n{"id":${read.id},"ok":null}\n`);
    await reading;
    assert.deepEqual(seen, [2n ** 64n - 1n, 'Rejected']);
    program.end();
    assert.ok(isDriverError(await session.ended, 'Unreachable'));
    await eventually('it is forgotten', () => drivers.find('acme') === undefined);
  }));

test('who is not a driver is sent away, and the others are served', () =>
  withSocket(async (visit, drivers) => {
    const wrong: readonly (readonly [string, RegExp])[] = [
      ['{"hello":{"protocol":"modbus","version":1}}\n', /own/],
      ['{"hello":{"protocol":"acme","version":9}}\n', /version 1/],
      ['{"hello":{"protocol":"../x","version":1}}\n', /lower-case/],
      ['{"id":1,"ok":null}\n', /hello/],
    ];
    for (const [text, words] of wrong) {
      const visitor = visit();
      visitor.say(text);
      assert.match(JSON.stringify(await next(visitor)), words);
      assert.equal((await visitor.lines.next()).done, true);
    }
    for (const garbage of ['null\n', '[]\n', '{\n', '{"a":{"$int":"x"}}\n', `${'['.repeat(100_000)}\n`]) {
      const visitor = visit();
      visitor.say(garbage);
      assert.equal((await visitor.lines.next()).done, true, garbage.slice(0, 20));
    }
    const good = visit();
    good.say('{"hello":{"protocol":"acme","version":1}}\n');
    await next(good);
    assert.ok(drivers.find('acme') !== undefined);
  }));
