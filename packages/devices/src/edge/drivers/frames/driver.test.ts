import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { silentLogger, systemClock } from '@skerry/base';
import { fakeClock } from '@skerry/testkit';
import { requireSystem, serialCable } from '@skerry/testkit/processes';
import { compileFrames } from '../../../frames/description.ts';
import { decodeFrame, encodeFrame, recognise, sequenceIn } from '../../../frames/layout.ts';
import { FrameSplitter } from '../../../frames/splitter.ts';
import type { RawValue } from '../../../values/encoding.ts';
import { type ConformanceBench, conformanceTests, pointOf, settingsOf } from '../../conformance/index.ts';
import type { DeviceSettings, DriverContext, Point, Session } from '../../driver.ts';
import { DriverError, isDriverError } from '../../driver-error.ts';
import { memoryCable } from '../../testing/memory-stream.ts';
import { type ByteStream, serialSettings } from '../../transport/byte-stream.ts';
import { openSerial } from '../../transport/serial-stream.ts';
import { createFrames, type DeviceOptions } from './driver.ts';

/** A scale with a length, a sequence and a CRC; it wants a password, and gives a token for it. */
const OPTIONS: DeviceOptions = {
  frame: [
    { bytes: 'aa55' },
    { role: 'Length', type: 'uint16' },
    { name: 'station' },
    { role: 'Sequence' },
    { name: 'token' },
    { name: 'command' },
    { role: 'Body' },
    { role: 'Checksum', kind: 'Crc16Ccitt' },
  ],
  messages: [
    { name: 'login', with: { command: 1, token: 0 }, body: [{ name: 'password', type: 'string', length: 8 }] },
    { name: 'welcome', with: { command: 0x81 }, body: [{ name: 'session', type: 'uint8' }] },
    { name: 'ask', with: { command: 2 }, body: [{ name: 'channel', type: 'uint8' }] },
    { name: 'is', with: { command: 0x82 }, body: [{ name: 'value', type: 'int32', byteOrder: 'little' }] },
    {
      name: 'tell',
      with: { command: 3 },
      body: [{ name: 'channel' }, { name: 'value', type: 'int32', byteOrder: 'little' }],
    },
    { name: 'done', with: { command: 0x83 } },
    { name: 'no', with: { command: 0xff }, body: [{ name: 'reason', type: 'string' }] },
    { name: 'alarm', with: { command: 0x90 }, body: [{ name: 'code', type: 'uint16' }] },
  ],
  requests: [
    { name: 'login', send: 'login', answer: 'welcome', refusal: 'no' },
    { name: 'read', send: 'ask', answer: 'is', refusal: 'no' },
    { name: 'set', send: 'tell', answer: 'done', refusal: 'no' },
  ],
  values: { station: 7, token: 0 },
};

const FRAMES = compileFrames(OPTIONS);

class Scale {
  readonly station: number;
  readonly values = new Map<number, number>();
  readonly streams = new Set<ByteStream>();
  readonly tokens: RawValue[] = [];
  /** Mute: it does what it is told, and its answers are lost. */
  fault: 'None' | 'Silent' | 'Garbage' | 'Mute' = 'None';
  readonly heard: string[] = [];

  constructor(station = 7) {
    this.station = station;
  }

  attach(stream: ByteStream): void {
    this.streams.add(stream);
    void stream.closed.then(() => this.streams.delete(stream));
    const splitter = new FrameSplitter(FRAMES);
    stream.onBytes((bytes) => {
      for (const frame of splitter.push(bytes).frames) this.#onFrame(frame, stream);
    });
  }

  say(name: string, fields: Readonly<Record<string, RawValue>>, sequence = 0): Uint8Array {
    const message = FRAMES.messages.get(name);
    assert.ok(message !== undefined);
    return encodeFrame(FRAMES, message, { station: this.station, token: 0, ...fields }, sequence);
  }

  #onFrame(frame: Uint8Array, stream: ByteStream): void {
    const [, asked] = recognise(FRAMES, frame) ?? [];
    if (this.fault === 'Silent' || asked?.['station'] !== this.station) return;
    const answer = this.#answer(frame);
    if (this.fault === 'Mute') return;
    const last = answer.length - 1;
    if (this.fault === 'Garbage') answer[last] = (answer[last] ?? 0) ^ 1;
    stream.write(answer);
  }

  #answer(frame: Uint8Array): Uint8Array {
    const sequence = sequenceIn(FRAMES, frame);
    const [message, values] = recognise(FRAMES, frame) ?? [];
    assert.ok(message !== undefined && values !== undefined);
    this.tokens.push(values['token'] ?? 'none');
    this.heard.push(message.name);
    if (message.name === 'login')
      return values['password'] === 'secret'
        ? this.say('welcome', { session: 1, token: 42 }, sequence)
        : this.say('no', { reason: 'password' }, sequence);
    const channel = Number(values['channel']);
    if (!this.values.has(channel)) return this.say('no', { reason: 'channel' }, sequence);
    if (message.name === 'ask') return this.say('is', { value: this.values.get(channel) ?? 0 }, sequence);
    this.values.set(channel, Number(values['value']));
    return this.say('done', {}, sequence);
  }
}

const reading = (channel: number, type: string, scale?: number): Point =>
  pointOf(
    `value${channel}`,
    type,
    { request: 'read', field: 'value', with: { channel }, write: 'set' },
    scale === undefined ? {} : { scale },
  );

const POINTS = [reading(1, 'float64', 0.5), reading(2, 'int32'), reading(3, 'bool')];

conformanceTests(test, 'frames', ['writes', 'subscribes', 'lacks', 'garbles'], async (): Promise<ConformanceBench> => {
  const clock = fakeClock();
  const scale = new Scale();
  for (const [at, value] of [3, -7, 1].entries()) scale.values.set(at + 1, value);
  let isAway = false;
  const driver = createFrames({
    clock,
    openStream: async () => {
      if (isAway) throw new DriverError('Unreachable', 'the scale is switched off');
      const { ends } = memoryCable();
      scale.attach(ends[1]);
      return ends[0];
    },
  });
  return {
    driver,
    clock,
    log: silentLogger,
    settings: settingsOf({ endpoint: 'tcp://scale:4001', options: { ...OPTIONS } }),
    points: POINTS,
    values: [1.5, -7, true],
    others: [2.5, 9, false],
    set: async (index, value) => void scale.values.set(index + 1, Number(value)),
    get: async (index) => scale.values.get(index + 1) ?? Number.NaN,
    absent: reading(9, 'int32'),
    settle: async (promise) => {
      let isDone = false;
      void Promise.allSettled([promise]).then(() => {
        isDone = true;
      });
      await clock.settle();
      for (let turn = 0; !isDone && turn < 1000; turn++) await clock.advance(100);
      return promise;
    },
    cut: async () => {
      isAway = true;
      for (const stream of scale.streams) stream.close();
    },
    silence: async () => {
      scale.fault = 'Silent';
    },
    garble: async () => {
      scale.fault = 'Garbage';
    },
    heal: async () => {
      isAway = false;
      scale.fault = 'None';
    },
    [Symbol.asyncDispose]: async () => {},
  };
});

// ——— state, and what a device sends by itself ———

const context: DriverContext = { clock: systemClock, log: silentLogger, signal: new AbortController().signal };

async function readOnce(session: Session, points: readonly Point[]): Promise<readonly unknown[]> {
  const seen: unknown[] = Array.from({ length: points.length });
  await session
    .group(points)
    .read(
      { value: (index, raw) => (seen[index] = raw), fail: (index, { kind }) => (seen[index] = kind) },
      context.signal,
    );
  return seen;
}

interface Opened {
  readonly session: Session;
  readonly scale: Scale;
  readonly ends: readonly ByteStream[];
  readonly clock: ReturnType<typeof fakeClock>;
}

async function open(given: Partial<DeviceSettings>): Promise<Opened> {
  const scale = new Scale();
  scale.values.set(2, 5);
  const { ends } = memoryCable();
  scale.attach(ends[1]);
  const clock = fakeClock();
  const driver = createFrames({ clock, openStream: async () => ends[0] });
  const session = await driver.connect(settingsOf({ endpoint: 'tcp://x:1', ...given }), context);
  return { session, scale, ends, clock };
}

const LOGIN = { ...OPTIONS, secrets: { password: 'password' }, keep: ['token'], start: ['login'] };

test('a device that wants a password gets it from the Secret, and its token with all that follows', async () => {
  const { session, scale } = await open({ options: LOGIN, secret: { password: Buffer.from('secret') } });
  assert.deepEqual(await readOnce(session, [reading(2, 'int32')]), [5]);
  assert.deepEqual(scale.tokens, [0, 42]);
});

test('a device that refuses the password is not connected, and its reason is told', async () => {
  await assert.rejects(
    open({ options: LOGIN, secret: { password: Buffer.from('other') } }),
    (error) => isDriverError(error, 'Rejected') && error.message === 'the device refused login: reason password',
  );
});

test('what a device sends by itself is told as it comes', async () => {
  const { session, scale, ends } = await open({ options: { ...OPTIONS } });
  const told: unknown[] = [];
  const sink = { value: (_index: number, raw: unknown) => void told.push(raw), fail: () => {} };
  await session.subscribe?.([pointOf('alarm', 'uint16', { message: 'alarm', field: 'code' })], sink, context.signal);
  for (const code of [258, 3]) ends[1]?.write(scale.say('alarm', { code }));
  await Promise.resolve();
  assert.deepEqual(told, [258, 3]);
});

test('an answer to an earlier request is not taken for the answer to this one', async () => {
  const { session, scale, ends } = await open({ options: { ...OPTIONS } });
  scale.fault = 'Silent';
  const reads = readOnce(session, [reading(2, 'int32')]);
  for (const [sequence, value] of [
    [9, 111],
    [0, 222],
  ] as const)
    ends[1]?.write(scale.say('is', { value }, sequence));
  assert.deepEqual(await reads, [222]);
});

test('commands are requests with their inputs as fields, and answers with their outputs', async () => {
  const { session } = await open({ options: { ...OPTIONS } });
  const type = { kind: 'scalar', scalar: 'int32' } as const;
  const answered = await session.call?.(
    {
      command: 'read',
      address: { request: 'read' },
      input: [{ name: 'channel', type, value: 2 }],
      output: [{ name: 'value', type }],
    },
    context.signal,
  );
  assert.deepEqual(answered, { value: 5 });
});

test('nothing is written or called twice when an answer is lost; what is read is asked for again', async () => {
  const { session, scale, clock } = await open({ options: { ...OPTIONS }, retries: 1 });
  const write = session.write?.bind(session);
  assert.ok(write !== undefined);
  const call = { command: 'set', address: { request: 'set' }, output: [] };
  const type = { kind: 'scalar', scalar: 'int32' } as const;
  const input = ['channel', 'value'].map((name) => ({ name, type, value: 2 }));
  scale.fault = 'Mute';
  const lost: Promise<unknown>[] = [
    write([{ point: reading(2, 'int32'), value: 9 }], context.signal),
    assert.rejects(async () => session.call?.({ ...call, input }, context.signal), { kind: 'TimedOut' }),
    assert.rejects(readOnce(session, [reading(2, 'int32')]), { kind: 'TimedOut' }),
  ];
  let isOver = false;
  void Promise.allSettled(lost).then(() => (isOver = true));
  await clock.settle();
  for (let turn = 0; !isOver && turn < 1000; turn++) await clock.advance(100);
  await Promise.all(lost);
  assert.deepEqual(scale.heard.toSorted(), ['ask', 'ask', 'tell', 'tell']);
});

test('a description comes from a ConfigMap as YAML, and one that its captures contradict is not used', async () => {
  const { scale } = await open({ options: { ...OPTIONS } });
  const capture = { bytes: Buffer.from(scale.say('is', { value: 5 })).toString('hex'), message: 'is' };
  const check = (fields: Readonly<Record<string, number>>) =>
    open({
      options: { file: 'scale.yaml' },
      files: { 'scale.yaml': Buffer.from(JSON.stringify({ ...OPTIONS, captures: [{ ...capture, fields }] })) },
    });
  const { session } = await check({ value: 5 });
  assert.deepEqual(await readOnce(session, [reading(2, 'int32')]), [5]);
  await assert.rejects(
    check({ value: 6 }),
    (error) => isDriverError(error, 'Misconfigured') && error.message === 'captures[0]: value is 5, not 6',
  );
});

// ——— several on one line ———

interface SharedLine {
  readonly opened: () => number;
  readonly connect: (station: number, given?: Readonly<Record<string, unknown>>) => Promise<Session>;
  readonly scales: readonly Scale[];
  /** What went over the line, in order: questions by `ask`, answers by `is`. */
  readonly seen: string[];
  readonly clock: ReturnType<typeof fakeClock>;
  readonly line: ByteStream;
}

/** Two scales at one end, and each Device hears what is for the other, too. */
function sharedLine(): SharedLine {
  const clock = fakeClock();
  const { ends } = memoryCable();
  const scales = [new Scale(7), new Scale(8)];
  const seen: string[] = [];
  const ears: ((bytes: Uint8Array) => void)[] = [];
  const splitter = new FrameSplitter(FRAMES);
  ends[1].onBytes((bytes) => {
    for (const frame of splitter.push(bytes).frames) {
      const [message, values] = recognise(FRAMES, frame) ?? [];
      seen.push(`${message?.name} ${String(values?.['station'])}`);
    }
    for (const ear of ears) ear(bytes);
  });
  for (const scale of scales) {
    scale.values.set(2, scale.station * 10);
    scale.attach({
      closed: ends[1].closed,
      write: (bytes) => {
        seen.push(`answer ${scale.station}`);
        ends[1].write(bytes);
      },
      onBytes: (listener) => void ears.push(listener),
      close: () => {},
    });
  }
  let opened = 0;
  const driver = createFrames({
    clock,
    openStream: async () => {
      opened++;
      return ends[0];
    },
  });
  return {
    opened: () => opened,
    connect: (station, given = {}) =>
      driver.connect(
        settingsOf({
          endpoint: 'serial:///dev/rs485',
          options: { ...OPTIONS, values: { station, token: 0 }, identity: ['station'], ...given },
        }),
        context,
      ),
    scales,
    seen,
    clock,
    line: ends[1],
  };
}

test('Devices on one serial line share it: one asks at a time, and each has the answers of its own station', async () => {
  const line = sharedLine();
  const [first, second] = [await line.connect(7), await line.connect(8)];
  const points = [reading(2, 'int32'), reading(9, 'int32')];
  const both = await Promise.all([readOnce(first, points), readOnce(second, points)]);
  assert.deepEqual(both, [
    [70, 'Rejected'],
    [80, 'Rejected'],
  ]);
  assert.equal(line.opened(), 1);
  for (const [at, entry] of line.seen.entries())
    if (at % 2 === 1) assert.equal(entry, line.seen[at - 1]?.replace('ask', 'answer'));
  await first.close();
  assert.deepEqual(await readOnce(second, [reading(2, 'int32')]), [80]);
});

test('a late answer of one device is not taken for that of another, and a silent one keeps no one waiting for ever', async () => {
  const line = sharedLine();
  const [first, second] = [await line.connect(7), await line.connect(8)];
  const [silent, other] = line.scales;
  assert.ok(silent !== undefined && other !== undefined);
  silent.fault = 'Silent';
  other.fault = 'Silent';
  const failed = assert.rejects(readOnce(first, [reading(2, 'int32')]), { kind: 'TimedOut' });
  const reads = readOnce(second, [reading(2, 'int32')]);
  await line.clock.settle();
  for (let turn = 0; turn < 100 && !line.seen.includes('ask 8'); turn++) await line.clock.advance(100);
  line.line.write(silent.say('is', { value: 700 }));
  line.line.write(other.say('is', { value: 800 }));
  assert.deepEqual(await reads, [800]);
  await failed;
});

test('what Devices on one line say of it must be the same', async () => {
  const line = sharedLine();
  await line.connect(7);
  await assert.rejects(
    line.connect(8, { serial: { baudRate: 19_200 } }),
    (error) => isDriverError(error, 'Misconfigured') && error.message.includes('another Device'),
  );
});

test('between questions on a line there is as much silence as is asked for', async () => {
  const line = sharedLine();
  const session = await line.connect(7, { pause: '50ms' });
  const reads = Promise.all([readOnce(session, [reading(2, 'int32')]), readOnce(session, [reading(2, 'int32')])]);
  await line.clock.settle();
  assert.deepEqual(line.seen, ['ask 7', 'answer 7']);
  await line.clock.advance(50);
  assert.deepEqual(await reads, [[70], [70]]);
});

// ——— over what is there ———

async function readsOver(endpoint: string): Promise<void> {
  const driver = createFrames({ clock: systemClock });
  const settings = settingsOf({ endpoint, timeoutMs: 20_000, options: { ...OPTIONS } });
  const session = await driver.connect(settings, context);
  assert.deepEqual(await readOnce(session, [reading(2, 'int32')]), [5]);
  await session.close();
}

test('frames go over UDP', async () => {
  const scale = new Scale();
  scale.values.set(2, 5);
  const socket = createSocket('udp4');
  socket.on('message', (bytes, { port, address }) => {
    const answers: Uint8Array[] = [];
    scale.attach({
      write: (answer) => void answers.push(answer),
      onBytes: (listener) => listener(bytes),
      closed: new Promise(() => {}),
      close: () => {},
    });
    for (const answer of answers) socket.send(answer, port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  await readsOver(`udp://127.0.0.1:${socket.address().port}`);
  socket.close();
});

test('frames go over TCP', async () => {
  const scale = new Scale();
  scale.values.set(2, 5);
  const server = createServer((socket) => {
    scale.attach({
      write: (answer) => void socket.write(answer),
      onBytes: (listener) => void socket.on('data', listener),
      closed: new Promise(() => {}),
      close: () => {},
    });
    socket.on('error', () => {});
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  await readsOver(`tcp://127.0.0.1:${address.port}`);
  server.close();
});

test('frames go over serial lines', async (t: TestContext) => {
  if (!requireSystem(t, 'socat')) return;
  await using cable = await serialCable();
  const scale = new Scale();
  scale.values.set(2, 5);
  const stream = await openSerial(cable.ends[1], serialSettings({}));
  scale.attach(stream);
  await readsOver(`serial://${cable.ends[0]}`);
  stream.close();
});

test('a frame that is none of the messages is decoded to nothing', () => {
  const [login, alarm] = [FRAMES.messages.get('login'), FRAMES.messages.get('alarm')];
  assert.ok(login !== undefined && alarm !== undefined);
  const frame = encodeFrame(FRAMES, alarm, { station: 7, token: 0, code: 1 });
  assert.equal(decodeFrame(FRAMES, login, frame), undefined);
});
