import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { silentLogger, systemClock } from '@skerry/base';
import { fakeClock, runs } from '@skerry/testkit';
import { eventually, requireSystem, serialCable } from '@skerry/testkit/processes';
import fc from 'fast-check';
import { type ConformanceBench, conformanceTests, pointOf, settingsOf } from '../../conformance/index.ts';
import type { DeviceSettings, DriverContext, Point, Session } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';
import { memoryCable } from '../../testing/memory-stream.ts';
import { type ByteStream, serialSettings } from '../../transport/byte-stream.ts';
import { openSerial } from '../../transport/serial-stream.ts';
import { socketBytes } from '../../transport/socket-bytes.ts';
import { createTextLines } from './driver.ts';
import { LineSplitter } from './line-splitter.ts';

/** An instrument: `R name` asks, `W name value` writes, and it answers `=value`, `OK` or `ERR`. */
class Instrument {
  readonly values = new Map<string, string>();
  fault: 'None' | 'Silent' | 'Garbage' = 'None';
  readonly streams = new Set<ByteStream>();

  attach(stream: ByteStream): void {
    this.streams.add(stream);
    void stream.closed.then(() => this.streams.delete(stream));
    const splitter = new LineSplitter(Buffer.from('\n'), 1000);
    stream.onBytes((bytes) => {
      for (const line of splitter.push(bytes).lines) {
        if (this.fault === 'Silent') continue;
        const answer =
          this.fault === 'Garbage' ? Uint8Array.of(0xff, 0xc0, 10) : Buffer.from(`${this.#answer(String(line))}\r\n`);
        stream.write(answer);
      }
    });
  }

  #answer(line: string): string {
    const [, action, name = '', value = ''] = /^([RW]) (\w+) ?(.*)$/.exec(line) ?? [];
    if (!this.values.has(name)) return 'ERR';
    if (action === 'R') return `=${this.values.get(name)}`;
    this.values.set(name, value);
    return 'OK';
  }
}

const reading = (name: string, type: string): Point =>
  pointOf(name, type, {
    request: `R ${name}`,
    match: '^=(?<value>.*)$',
    write: `W ${name} {value}`,
    acknowledge: '^OK$',
  });

const NAMES = ['a', 'b', 'c', 'd'];

conformanceTests(
  test,
  'lines of text',
  ['writes', 'subscribes', 'lacks', 'garbles'],
  async (): Promise<ConformanceBench> => {
    const clock = fakeClock();
    const instrument = new Instrument();
    for (const [at, value] of ['1.5', '-7', 'on', '1'].entries()) instrument.values.set(NAMES[at] ?? '', value);
    let isAway = false;
    const driver = createTextLines({
      clock,
      openStream: async () => {
        if (isAway) throw new DriverError('Unreachable', 'the instrument is switched off');
        const { ends } = memoryCable();
        instrument.attach(ends[1]);
        return ends[0];
      },
    });
    return {
      driver,
      clock,
      log: silentLogger,
      settings: settingsOf({ endpoint: 'tcp://instrument:4001' }),
      points: [reading('a', 'float64'), reading('b', 'int32'), reading('c', 'string'), reading('d', 'bool')],
      values: [1.5, -7, 'on', true],
      others: [2.5, 9, 'off', false],
      set: async (index, value) => void instrument.values.set(NAMES[index] ?? '', String(value)),
      get: async (index) => instrument.values.get(NAMES[index] ?? '') ?? '',
      absent: reading('e', 'float64'),
      settle: async (promise) => {
        let isDone = false;
        promise.then(
          () => (isDone = true),
          () => (isDone = true),
        );
        await clock.settle();
        for (let turn = 0; !isDone && turn < 1000; turn++) await clock.advance(100);
        return promise;
      },
      cut: async () => {
        isAway = true;
        for (const stream of instrument.streams) stream.close();
      },
      silence: async () => {
        instrument.fault = 'Silent';
      },
      garble: async () => {
        instrument.fault = 'Garbage';
      },
      heal: async () => {
        isAway = false;
        instrument.fault = 'None';
      },
      [Symbol.asyncDispose]: async () => {},
    };
  },
);

// ——— what the device sends by itself ———

interface Wire {
  readonly session: Session;
  readonly sent: string[];
  readonly say: (text: string) => Promise<void>;
}

const context: DriverContext = { clock: systemClock, log: silentLogger, signal: new AbortController().signal };

async function wire(
  options: Readonly<Record<string, unknown>> = {},
  given: Partial<DeviceSettings> = {},
): Promise<Wire> {
  const clock = fakeClock();
  const { ends } = memoryCable();
  const sent: string[] = [];
  ends[1].onBytes((bytes) => sent.push(Buffer.from(bytes).toString()));
  const driver = createTextLines({ clock, openStream: async () => ends[0] });
  const session = await driver.connect(settingsOf({ endpoint: 'tcp://x:1', options, ...given }), context);
  return {
    session,
    sent,
    say: async (text) => {
      ends[1].write(new Uint8Array(Buffer.from(text)));
      await clock.settle();
    },
  };
}

async function readOnce(group: ReturnType<Session['group']>, count: number): Promise<readonly unknown[]> {
  const seen: unknown[] = Array.from({ length: count });
  await group.read(
    { value: (index, raw) => (seen[index] = raw), fail: (index, { kind }) => (seen[index] = kind) },
    context.signal,
  );
  return seen;
}

const FIELDS = [
  pointOf('weight', 'float64', { match: '^ST', field: 2 }),
  pointOf('unit', 'string', { match: '^ST', field: 3 }),
  pointOf('alarm', 'string', { match: '^ALARM (.+)$' }),
];

test('what a device sends by itself is told as it comes, by fields and by expressions, and the rest is left', async () => {
  const { session, say } = await wire();
  const told: unknown[] = [];
  const sink = { value: (index: number, raw: unknown) => void told.push([index, raw]), fail: () => {} };
  await session.subscribe?.(FIELDS, sink, context.signal);
  await say('ST, 12.50,kg\r\nUS,1,kg\r\nALA');
  await say('RM too heavy\n');
  assert.deepEqual(told, [
    [0, '12.50'],
    [1, 'kg'],
    [2, 'too heavy'],
  ]);
});

test('what was sent is what a later reading has; what was not sent yet is TimedOut', async () => {
  const { session, say } = await wire();
  const group = session.group(FIELDS);
  await say('ST,1,kg\nST,2,kg\n');
  assert.deepEqual(await readOnce(group, 3), ['2', 'kg', 'TimedOut']);
});

test('a line that is too long is counted as lost, and the next one is read', async () => {
  const { session, say } = await wire({ maxLineBytes: 8 });
  let [lost, value] = [0, ''];
  const sink = {
    value: (_index: number, raw: unknown) => (value = String(raw)),
    fail: () => {},
    lost: (count: number) => (lost += count),
  };
  await session.subscribe?.([pointOf('all', 'string', {})], sink, context.signal);
  await say('123456789\n12345678\n');
  assert.deepEqual([lost, value], [1, '12345678']);
});

test('a greeting is sent first, and what a device echoes is no answer', async () => {
  const { session, sent, say } = await wire({ greeting: 'START', hasEcho: true, delimiter: '\r\n' });
  const reading = readOnce(session.group([pointOf('a', 'string', { request: 'A?' })]), 1);
  await say('A?\r\n5\r\n');
  assert.deepEqual(await reading, ['5']);
  assert.equal(sent.join(''), 'START\r\nA?\r\n');
});

test('instruments on one line are asked in turn, over one connection that lasts until the last of them leaves', async () => {
  const clock = fakeClock();
  const { ends } = memoryCable();
  let [opened, waiting, most] = [0, 0, 0];
  ends[1].onBytes((bytes) => {
    const [, number = ''] = /^#(\d) R/.exec(String(Buffer.from(bytes))) ?? [];
    waiting++;
    most = Math.max(most, waiting);
    clock.after(20, () => {
      waiting--;
      ends[1].write(Buffer.from(`=${number}\n`));
    });
  });
  const driver = createTextLines({
    clock,
    openStream: async () => {
      opened++;
      return ends[0];
    },
  });
  const settings = settingsOf({ endpoint: 'serial:///dev/rs485' });
  const sessions = await Promise.all([driver.connect(settings, context), driver.connect(settings, context)]);
  const reads = sessions.map((session, at) =>
    readOnce(session.group([pointOf('a', 'int32', { request: `#${at + 1} R`, match: '^=(.*)$' })]), 1),
  );
  await clock.advance(100);
  assert.deepEqual(await Promise.all(reads), [['1'], ['2']]);
  assert.deepEqual([opened, most], [1, 1]);
  const [first, second] = sessions;
  assert.ok(first !== undefined && second !== undefined);
  await first.close();
  const again = readOnce(second.group([pointOf('a', 'int32', { request: '#2 R', match: '^=(.*)$' })]), 1);
  await clock.advance(100);
  assert.deepEqual(await again, ['2']);
});

test('a value cannot bring a second line with it', async () => {
  const { session, sent } = await wire();
  const point = pointOf('name', 'string', { write: 'N {value}' });
  const outcomes = await session.write?.(
    [
      { point, value: 'x\nDELETE ALL' },
      { point, value: '$& {value}' },
    ],
    context.signal,
  );
  assert.deepEqual(
    outcomes?.map((error) => error?.kind),
    ['Rejected', undefined],
  );
  await eventually('it is sent', () => sent.length > 0);
  assert.deepEqual(sent, ['N $& {value}\n']);
});

test('lines are whole, however their bytes come', () => {
  const text = fc.string({ maxLength: 20, unit: fc.constantFrom('a', '\r', 'b') });
  const property = fc.property(
    fc.array(text),
    fc.constantFrom('\n', '\r\n\n'),
    fc.integer({ min: 1, max: 9 }),
    (lines, delimiter, size) => {
      const splitter = new LineSplitter(Buffer.from(delimiter), 100);
      const wire = Buffer.from(lines.map((line) => line.replace(/\r+$/, '') + delimiter).join(''));
      const seen: string[] = [];
      for (let at = 0; at < wire.length; at += size)
        seen.push(...splitter.push(wire.subarray(at, at + size)).lines.map(String));
      assert.deepEqual(
        seen,
        lines.map((line) => line.replace(/\r+$/, '')),
      );
    },
  );
  fc.assert(property, { numRuns: runs(200) });
});

test('lines go over TCP and over serial lines', async (t) => {
  const instrument = new Instrument();
  instrument.values.set('a', '42');
  const driver = createTextLines({ clock: systemClock });
  const check = async (endpoint: string) => {
    const session = await driver.connect(settingsOf({ endpoint, timeoutMs: 20_000 }), context);
    assert.deepEqual(await readOnce(session.group([reading('a', 'int32')]), 1), ['42']);
    await session.close();
  };
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    instrument.attach(socketBytes(socket, 'the driver'));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  await check(`tcp://127.0.0.1:${(server.address() as AddressInfo).port}`);
  for (const socket of sockets) socket.destroy();
  server.close();
  if (!requireSystem(t, 'socat')) return;
  await using cable = await serialCable();
  const stream = await openSerial(cable.ends[1], serialSettings({}));
  instrument.attach(stream);
  await check(`serial://${cable.ends[0]}`);
  stream.close();
});
