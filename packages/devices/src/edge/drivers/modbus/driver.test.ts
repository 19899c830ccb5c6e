import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { pointOf } from '../../conformance/index.ts';
import type { FoundDevice, Point, Session } from '../../driver.ts';
import { isDriverError } from '../../driver-error.ts';
import { type Plant, plant } from './testing/plant.ts';

const register = (property: string, address: number, type = 'uint16', more: Readonly<Record<string, unknown>> = {}) =>
  pointOf(property, type, { address, ...more });

/** What a device that counts its registers from 0 says for the points. */
async function check(
  points: readonly Point[],
  expected: readonly unknown[],
  options: Readonly<Record<string, unknown>> = {},
): Promise<Plant> {
  const made = plant({
    1: {
      size: 2000,
      identification: new Map([
        [0, 'Skerry'],
        [1, 'M1'],
      ]),
    },
  });
  const unit = made.unit(1);
  for (let at = 0; at < 2000; at++) unit.holdingRegisters.set([at >> 8, at & 0xff], at * 2);
  unit.inputRegisters.set([0xff, 0xfe], 0);
  unit.coils.set([1, 0, 1], 7);
  unit.discreteInputs[3] = 1;
  unit.files.set(4, Uint8Array.of(0, 1, 0, 2));
  unit.queues.set(9, Uint8Array.of(0, 5, 0, 6));
  const session = await made.connect({ options });
  assert.deepEqual(await made.read(session, points), expected);
  return made;
}

test('what can be read of a device is read: the four tables, files, queues, and what it says of itself', async () => {
  await check(
    [
      register('a', 7),
      pointOf('b', 'int16', { table: 'InputRegister' }),
      pointOf('c', 'bool', { table: 'Coil', address: 9 }),
      pointOf('d', 'bool[3]', { table: 'Coil', address: 7 }),
      pointOf('e', 'bool', { table: 'DiscreteInput', address: 3 }),
      pointOf('f', 'uint16[2]', { table: 'FileRecord', file: 4 }),
      pointOf('g', 'uint16[]', { table: 'FifoQueue', address: 9 }),
      pointOf('h', 'string', { table: 'DeviceIdentification', address: 1 }),
      pointOf('i', 'uint8', { table: 'ExceptionStatus' }),
      pointOf('j', 'uint16[2]', { table: 'EventCounter' }),
      pointOf('k', 'uint16', { table: 'Diagnostic', address: 12 }),
      register('l', 10, 'uint8'),
      register('m', 300, 'uint32', {}),
      register('n', 1, 'uint16[3]'),
    ],
    [7, -2, true, [true, false, true], true, [1, 2], [5, 6], 'M1', 0, [0, 9], 0, 10, 300 * 65_536 + 301, [1, 2, 3]],
  );
});

test('a value that is longer than a request is put together of several', async () => {
  const words = Array.from({ length: 300 }, (_, at) => at + 5);
  await check([register('long', 5, 'uint16[300]')], [words], { maxRegisters: 100 });
});

test('what cannot be read says why, in words', async () => {
  const made = await check(
    [
      register('beyond', 5000),
      pointOf('file', 'uint16', { table: 'FileRecord', file: 9 }),
      pointOf('text', 'string', { address: 1 }),
      pointOf('restart', 'uint16', { table: 'Diagnostic', address: 1 }),
      register('fine', 3),
    ],
    [
      'NotFound: the device has no such address (exception 2)',
      'NotFound: the device has no such address (exception 2)',
      'Misconfigured: text has no length: encoding.length or address.count says it',
      'Misconfigured: diagnostic 1 changes the device: it is for commands',
      3,
    ],
  );
  made.unit(1).refusal = 4;
  const session = await made.connect();
  assert.deepEqual(await made.read(session, [register('a', 1)]), [
    'Rejected: the device failed while it did it (exception 4)',
  ]);
});

test('a hole in the middle of what is read together costs its own point, and is remembered', async () => {
  const made = plant({ 1: { size: 50 } });
  const session = await made.connect();
  const group = session.group([register('a', 1), register('b', 50), register('c', 3)]);
  const seen = async () => {
    const told: unknown[] = [];
    const sink = {
      value: (index: number, raw: unknown) => (told[index] = raw),
      fail: (index: number, { kind }: { kind: string }) => (told[index] = kind),
    };
    let asked = 0;
    made.server.intercept = () => void asked++;
    await made.settle(group.read(sink, made.context.signal));
    return { told, asked };
  };
  const options = { told: [0, 'NotFound', 0] };
  assert.deepEqual(await seen(), { ...options, asked: 2 });
  const wide = await made.connect({ options: { maxGap: 100 } });
  const other = wide.group([register('a', 1), register('b', 50), register('c', 3)]);
  let asked = 0;
  made.server.intercept = () => void asked++;
  const nothing = { value: () => {}, fail: () => {} };
  await made.settle(other.read(nothing, made.context.signal));
  assert.equal(asked, 3, 'the whole, and then both parts');
  await made.settle(other.read(nothing, made.context.signal));
  assert.equal(asked, 5, 'only the parts');
});

test('ten thousand properties of one device are eighty requests', async () => {
  const made = plant({ 1: { size: 10_000 } });
  const session = await made.connect();
  const points = Array.from({ length: 10_000 }, (_, at) => register(`p${at}`, at));
  let asked = 0;
  made.server.intercept = () => void asked++;
  const seen = await made.read(session, points);
  assert.equal(seen.filter((value) => value === 0).length, 10_000);
  assert.equal(asked, 80);
});

test('each kind of write is the function for it', async () => {
  const made = plant();
  const codes: number[] = [];
  made.server.intercept = (_unit, pdu) => void codes.push(pdu[0] ?? 0);
  const points: readonly (readonly [Point, Uint8Array, bigint?])[] = [
    [register('a', 1), Uint8Array.of(1, 2)],
    [register('b', 2, 'uint32'), Uint8Array.of(1, 2, 3, 4)],
    [pointOf('c', 'bool', { table: 'Coil', address: 3 }), Uint8Array.of(1)],
    [pointOf('d', 'bool[2]', { table: 'Coil', address: 4 }), Uint8Array.of(0, 1)],
    [register('e', 5, 'bool', {}), Uint8Array.of(0, 0x10), 0x10n],
  ];
  made.unit(1).holdingRegisters.set([0xff, 0x0f], 10);
  const session = await made.connect();
  const writes = points.map(([point, value, mask]) => ({ point, value, ...(mask === undefined ? {} : { mask }) }));
  assert.deepEqual(await made.write(session, ...writes), [undefined, undefined, undefined, undefined, undefined]);
  assert.deepEqual(codes, [6, 16, 5, 15, 22]);
  assert.deepEqual(Array.from(made.unit(1).holdingRegisters.slice(2, 12)), [1, 2, 1, 2, 3, 4, 0, 0, 0xff, 0x1f]);
  assert.deepEqual(Array.from(made.unit(1).coils.slice(3, 6)), [1, 0, 1]);
});

test('devices without the functions for one register or for bits are written in other ways', async () => {
  const made = plant({ 1: { lacks: new Set([5, 6, 22]) } });
  made.unit(1).holdingRegisters.set([0xff, 0x0f], 10);
  const writes = [
    { point: register('a', 1), value: Uint8Array.of(1, 2) },
    { point: register('e', 5), value: Uint8Array.of(0, 0x10), mask: 0x10n },
  ];
  const plain = await made.connect();
  const unknown = 'Unsupported: the device does not know this function (exception 1)';
  assert.deepEqual(await made.write(plain, ...writes), [unknown, unknown]);
  await plain.close();
  const session = await made.connect({ options: { writeMultiple: true, maskWrite: 'ReadModifyWrite' } });
  const [first, second] = await made.write(session, ...writes);
  assert.deepEqual([first, second], [undefined, unknown], 'a register that only 16 writes');
});

test('what cannot be written says why', async () => {
  const made = plant();
  const session = await made.connect();
  const point = pointOf('level', 'uint16', { table: 'InputRegister' });
  assert.deepEqual(await made.write(session, { point, value: Uint8Array.of(0, 1) }), [
    'Rejected: level is a part of InputRegister, which cannot be written',
  ]);
});

test('what was not answered is read again as often as it is said, and never written again', async () => {
  const made = plant();
  const session = await made.connect({ retries: 2 });
  let silentFor = 2;
  const codes: number[] = [];
  made.server.intercept = (_unit, pdu) => {
    codes.push(pdu[0] ?? 0);
    return silentFor-- > 0 ? new Uint8Array(0) : undefined;
  };
  assert.deepEqual(await made.read(session, [register('a', 1)]), [0]);
  assert.deepEqual(codes, [3, 3, 3]);
  silentFor = 1;
  const outcome = await made.write(session, { point: register('a', 1), value: Uint8Array.of(0, 1) });
  assert.deepEqual(outcome, ['TimedOut: no answer from unit 1 within 1000 ms']);
  assert.deepEqual(codes, [3, 3, 3, 6]);
});

test('an answer that comes too late is nobody else’s', async () => {
  const made = plant();
  const session = await made.connect();
  const late: Uint8Array[] = [];
  made.server.intercept = (_unit, pdu) => {
    late.push(pdu);
    return new Uint8Array(0);
  };
  await assert.rejects(made.read(session, [register('a', 1)]), { kind: 'TimedOut' });
  made.server.intercept = undefined;
  made.unit(1).holdingRegisters.set([0, 42], 4);
  assert.deepEqual(await made.read(session, [register('b', 2)]), [42]);
  assert.equal(late.length, 1);
});

test('on a line, where answers do not say whose they are, a late one is waited for and left', async () => {
  const made = plant({ 1: {} }, 'RTU');
  made.unit(1).holdingRegisters.set([0, 1, 0, 2, 0, 3]);
  const session = await made.connect();
  made.server.delay = (send) => void made.clock.after(1200, send);
  await assert.rejects(made.settle(made.read(session, [register('a', 0)])), { kind: 'TimedOut' });
  const next = made.read(session, [register('b', 1)]);
  await made.clock.advance(300);
  made.server.delay = undefined;
  assert.deepEqual(await next, [2]);
});

test('a device that is left and taken again in the same moment is connected anew', async () => {
  const made = plant();
  const session = await made.connect();
  const closing = session.close();
  const again = await made.connect();
  await closing;
  assert.deepEqual(await made.read(again, [register('a', 1)]), [0]);
});

test('whatever a device answers, it is a value or an error in words, and the next answer counts again', async () => {
  const made = plant();
  const points = [
    register('a', 1),
    pointOf('b', 'bool', { table: 'Coil', address: 9 }),
    pointOf('c', 'uint16[]', { table: 'FifoQueue', address: 9 }),
    pointOf('d', 'string', { table: 'DeviceIdentification' }),
    pointOf('e', 'uint16', { table: 'FileRecord', file: 1 }),
  ];
  const property = fc.asyncProperty(
    fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { minLength: 1 }),
    async (answers) => {
      const session = await made.connect();
      let turn = 0;
      // Its own function, so that it is looked at; what follows is anything.
      made.server.intercept = (_unit, pdu) => Uint8Array.of(pdu[0] ?? 0, ...(answers[turn++ % answers.length] ?? []));
      for (const point of points) {
        const [seen] = await made.read(session, [point]).catch((error: unknown) => [error]);
        assert.notEqual(seen, undefined);
        assert.ok(!(seen instanceof Error) || isDriverError(seen), String(seen));
      }
      made.server.intercept = undefined;
      assert.deepEqual(await made.read(session, [register('a', 1)]), [0]);
      await session.close();
    },
  );
  await fc.assert(property, { numRuns: runs(60) });
});

test('a silent device costs one timeout and not one a request', async () => {
  const made = plant();
  const session = await made.connect();
  made.server.fault = 'Silent';
  const before = made.clock.monotonic();
  const far = Array.from({ length: 20 }, (_, at) => register(`p${at}`, at * 1000));
  await assert.rejects(made.read(session, far), { kind: 'TimedOut' });
  assert.ok(made.clock.monotonic() - before < 2000);
});

test('devices of one endpoint share its connection, and one that leaves takes nothing from the others', async () => {
  const made = plant({ 1: {}, 2: {} }, 'RTU');
  made.unit(2).holdingRegisters.set([0, 7], 0);
  const one = await made.connect({ name: 'one' });
  const two = await made.connect({ name: 'two', options: { unit: 2 } });
  const both = Promise.all([made.read(one, [register('a', 0)]), made.read(two, [register('a', 0)])]);
  assert.deepEqual(await both, [[0], [7]]);
  assert.equal(made.opened, 1);
  await one.close();
  assert.deepEqual(await made.read(two, [register('a', 0)]), [7]);
  await two.close();
  await made.connect({ name: 'one' });
  assert.equal(made.opened, 2, 'the last one closes it');
});

test('devices that do not agree about their line are told so', async () => {
  const made = plant({ 1: {}, 2: {} }, 'RTU');
  await made.connect({ name: 'one', options: { serial: { baudRate: 9600 } } });
  const other = made.connect({ name: 'two', options: { unit: 2, serial: { baudRate: 19_200 } } });
  await assert.rejects(other, { kind: 'Misconfigured' });
});

test('a unit that is off is not Connected again before it answers, although its line is open', async () => {
  const made = plant({ 1: {}, 2: {} }, 'RTU');
  const steady = await made.connect({ name: 'one' });
  const session = await made.connect({ name: 'two', options: { unit: 2 } });
  made.server.intercept = (unit) => (unit === 2 ? new Uint8Array(0) : undefined);
  await assert.rejects(made.read(session, [register('a', 3)]), { kind: 'TimedOut' });
  await session.close();
  await assert.rejects(made.connect({ name: 'two', options: { unit: 2 } }), { kind: 'TimedOut' });
  assert.deepEqual(await made.read(steady, [register('a', 0)]), [0]);
  made.server.intercept = undefined;
  const back = await made.connect({ name: 'two', options: { unit: 2 } });
  assert.deepEqual(await made.read(back, [register('a', 3)]), [0]);
});

test('as many requests are on their way at once as the device takes, over as many connections', async () => {
  for (const [options, most] of [
    [{}, 1],
    [{ pipeline: 4 }, 4],
    [{ pipeline: 4, connections: 2 }, 8],
  ] as const) {
    const made = plant();
    const session = await made.connect({ options });
    let waiting = 0;
    made.server.intercept = () => {
      waiting++;
      return new Uint8Array(0);
    };
    const far = Array.from({ length: 20 }, (_, at) => register(`p${at}`, at * 1000));
    await assert.rejects(made.read(session, far), { kind: 'TimedOut' });
    assert.equal(waiting, most);
  }
});

test('what is said to everybody on a line is not answered, and carried out by all', async () => {
  const made = plant({ 1: {}, 2: {} }, 'RTU');
  const session = await made.connect({ options: { unit: 0 } });
  assert.deepEqual(await made.write(session, { point: register('a', 1), value: Uint8Array.of(0, 9) }), [undefined]);
  for (const id of [1, 2]) assert.equal(made.unit(id).holdingRegisters[3], 9);
});

test('a device that loses power in the middle of a reading ends it at once, and is read again when it is back', async () => {
  const made = plant();
  const session = await made.connect();
  made.server.intercept = () => {
    made.server.cut();
    return new Uint8Array(0);
  };
  await assert.rejects(made.read(session, [register('a', 1)]), { kind: 'Unreachable' });
  assert.ok(isDriverError(await session.ended, 'Unreachable'));
  made.server.intercept = undefined;
  assert.deepEqual(await made.read(await made.connect(), [register('a', 1)]), [0]);
});

test('noise on a line is said to be noise, and what comes after it is read', async () => {
  const made = plant({ 1: {} }, 'RTU');
  const session = await made.connect();
  made.server.fault = 'Garbage';
  await assert.rejects(made.read(session, [register('a', 1)]), {
    kind: 'Malformed',
    message: /speed, parity and wiring/,
  });
  made.server.fault = 'None';
  assert.deepEqual(await made.read(session, [register('a', 1)]), [0]);
});

async function call(
  made: Plant,
  session: Session,
  address: object,
  input: unknown[],
  output: string[],
): Promise<unknown> {
  const { type } = pointOf('x', 'uint16', {});
  assert.ok(session.call !== undefined);
  const request = {
    command: 'do',
    address: { ...address },
    input: input.map((value, at) => ({ name: `in${at}`, type, value: value as number })),
    output: output.map((each, at) => ({ name: `out${at}`, type: pointOf('y', each, {}).type })),
  };
  return made.settle(session.call(request, made.context.signal));
}

test('commands write, write and read at once, diagnose, and ask what is not foreseen', async () => {
  const made = plant();
  const session = await made.connect();
  await call(made, session, { action: 'WriteRegisters', address: 5, values: [7] }, [300], []);
  const both = { action: 'ReadWrite', address: 8, readAddress: 5 };
  assert.deepEqual(await call(made, session, both, [1], ['uint16', 'int16']), { out0: 7, out1: 300 });
  await call(made, session, { action: 'WriteCoils', address: 2, values: [1, 0, 1] }, [], []);
  assert.deepEqual(Array.from(made.unit(1).coils.slice(2, 5)), [1, 0, 1]);
  assert.deepEqual(await call(made, session, { action: 'Diagnostic' }, [0x1234], ['uint16']), { out0: 0x1234 });
  const raw = await call(made, session, { action: 'Request', function: 3, values: [5, 2] }, [], ['bytes']);
  assert.deepEqual(raw, { out0: Uint8Array.of(4, 0, 7, 1, 44) });
  await assert.rejects(call(made, session, { action: 'Request', function: 99 }, [], []), { kind: 'Unsupported' });
});

test('a scan finds who answers, by name where they have one, and asks nobody else', async () => {
  const made = plant({
    3: {
      identification: new Map([
        [0, 'Skerry'],
        [1, 'M1'],
      ]),
    },
    5: { lacks: new Set([43]) },
    9: {},
  });
  const asked = new Set<number>();
  made.server.intercept = (unit) => void asked.add(unit);
  const found: FoundDevice[] = [];
  const request = { settings: made.settings(), scan: { firstUnit: 2, lastUnit: 8 }, limit: 10 };
  const looking = async () => {
    for await (const each of made.driver.discover?.(request, made.context) ?? []) found.push(each);
  };
  await made.settle(looking());
  assert.deepEqual(
    found.map(({ fingerprint, name, description, options }) => [fingerprint, name, description, options?.['unit']]),
    [
      ['tcp://device:502#3', 'modbus-M1-3', 'Skerry M1', 3],
      ['tcp://device:502#5', 'modbus-unit-5', undefined, 5],
    ],
  );
  assert.deepEqual([...asked], [2, 3, 4, 5, 6, 7, 8]);
});

test('an endpoint that is none is said to be none', async () => {
  const made = plant();
  await assert.rejects(made.connect({ endpoint: 'http://x' }), { kind: 'Misconfigured' });
  await assert.rejects(made.connect({ endpoint: 'serial:///dev/ttyS0', options: { framing: 'TCP' } }), {
    kind: 'Misconfigured',
  });
});
