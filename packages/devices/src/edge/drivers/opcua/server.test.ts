import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually } from '@skerry/testkit/processes';
import { parseValueType, type StructDeclaration } from '../../../values/value-type.ts';
import type { BrowseEntry, FoundDevice, Point } from '../../driver.ts';
import { isDriverError } from '../../driver-error.ts';
import { connected, contextOf, driver, hearing, numberPoint, pointFor, read, settingsFor } from './testing/bench.ts';
import { Peer } from './testing/peer.ts';

const NODES = 10_000;
const NEVER = new AbortController().signal;
/** The library keeps a clock of its own beside that of the machine. */
const A_MINUTE_MS = 60_000;

let peer: Peer;
before(async () => {
  peer = await Peer.start({ nodes: NODES });
});
after(() => peer[Symbol.asyncDispose]());

const STRUCTS: ReadonlyMap<string, StructDeclaration> = new Map([
  [
    'Limits',
    {
      name: 'Limits',
      fields: [
        { name: 'Low', type: 'float64' },
        { name: 'High', type: 'float64' },
      ],
    },
  ],
  [
    'Stroke',
    {
      name: 'Stroke',
      fields: [
        { name: 'Serial', type: 'uint64' },
        { name: 'At', type: 'datetime' },
        { name: 'State', type: 'int32' },
        { name: 'Forces', type: 'float64[]' },
        { name: 'Limits', type: 'Limits' },
      ],
    },
  ],
]);

function structPoint(name: string, struct: string): Point {
  const type = parseValueType(struct, STRUCTS);
  assert.ok(typeof type !== 'string', String(type));
  return { ...pointFor(name, 'bytes'), type };
}

test('every type is read exactly, 64-bit integers to the last digit', async (t) => {
  const session = await connected(t, settingsFor(peer));
  const expected: readonly (readonly [string, string, unknown])[] = [
    ['Boolean', 'bool', true],
    ['SByte', 'int8', -128],
    ['Byte', 'uint8', 255],
    ['Int16', 'int16', -32_768],
    ['UInt16', 'uint16', 65_535],
    ['Int32', 'int32', -2_147_483_648],
    ['UInt32', 'uint32', 4_294_967_295],
    ['Int64', 'int64', -(2n ** 63n) + 1n],
    ['UInt64', 'uint64', 2n ** 64n - 1n],
    ['Float', 'float32', Math.fround(1.1)],
    ['Double', 'float64', Math.PI],
    ['String', 'string', 'Grüße, 世界'],
    ['ByteString', 'bytes', Uint8Array.of(0, 255, 7)],
    ['DateTime', 'datetime', 1_767_225_600_123],
    ['Doubles', 'float64[]', [1, 2.5]],
    ['Longs', 'int64[]', [5n, -1n]],
    ['Matrix', 'int32[6]', [1, 2, 3, 4, 5, 6]],
    ['State', 'int32', 7],
  ];
  const values = await read(
    session,
    expected.map(([name, type]) => pointFor(name, type)),
  );
  assert.deepEqual(
    values,
    expected.map(([, , value]) => value),
  );
});

test('a structure that nobody has compiled in is read and written, field by field', async (t) => {
  const session = await connected(t, settingsFor(peer));
  const point = structPoint('Stroke', 'Stroke');
  const first = {
    Serial: 0x0123456789abcdefn,
    At: 1_767_225_600_123,
    State: 1,
    Forces: [0.5, 2],
    Limits: { Low: -1, High: 1 },
  };
  assert.deepEqual(await read(session, [point]), [first]);
  const next = { Serial: 2n ** 64n - 1n, At: 5, State: 7, Forces: [1], Limits: { Low: 0, High: 9 } };
  assert.deepEqual(await session.write?.([{ point, value: next }], NEVER), [undefined]);
  assert.deepEqual(await read(session, [point]), [next]);
  await session.write?.([{ point, value: first }], NEVER);
});

test('a write goes out in the type that the server has, and says why it was refused', async (t) => {
  const session = await connected(t, settingsFor(peer));
  const outcomes = await session.write?.(
    [
      { point: pointFor('UInt16', 'float64'), value: 7 },
      { point: pointFor('Doubles', 'float64[]'), value: [3, 4, 5] },
      { point: pointFor('Locked', 'int32'), value: 2 },
      { point: pointFor('Absent', 'int32'), value: 2 },
    ],
    NEVER,
  );
  assert.deepEqual(
    outcomes?.map((error) => error?.kind),
    [undefined, undefined, 'Rejected', 'NotFound'],
  );
  assert.match(outcomes?.[2]?.message ?? '', /BadNotWritable/);
  assert.deepEqual(await read(session, [pointFor('UInt16', 'uint16'), pointFor('Doubles', 'float64[]')]), [
    7,
    [3, 4, 5],
  ]);
});

test('a number that the type of the server cannot hold is refused in words, and nothing is written in its place', async (t) => {
  const session = await connected(t, settingsFor(peer));
  const points = {
    Int64: pointFor('Int64', 'float64'),
    UInt64: pointFor('UInt64', 'uint64'),
    UInt16: pointFor('UInt16', 'float64'),
    Float: pointFor('Float', 'float64'),
    Doubles: pointFor('Doubles', 'float64[]'),
  };
  const before = await read(session, Object.values(points));
  const refusals = {
    Int64: [2 ** 63, -(2 ** 63) - 2048, Number.NaN],
    UInt64: [-1n, 2n ** 64n],
    UInt16: [65_536, -1],
    Float: [3.5e38, -1e300],
  };
  for (const [name, values] of Object.entries(refusals))
    for (const value of values) {
      const point = points[name as keyof typeof refusals];
      const [error] = (await session.write?.([{ point, value }], NEVER)) ?? [];
      assert.match(
        `${error?.kind}: ${error?.message}`,
        new RegExp(`^Misconfigured: the value .* \\(${name} of the server\\)$`),
      );
    }
  assert.deepEqual(await read(session, Object.values(points)), before);
  const edges = [
    { point: points.Int64, value: -(2 ** 63) },
    { point: points.UInt64, value: 2n ** 64n - 1n },
    { point: points.Float, value: Number.POSITIVE_INFINITY },
  ];
  assert.deepEqual(await session.write?.(edges, NEVER), [undefined, undefined, undefined]);
});

test('values have the time of their source, a part of an array is read alone', async (t) => {
  const session = await connected(t, settingsFor(peer));
  const group = session.group([pointFor('Float', 'float32'), pointFor('Longs', 'int64[]', { indexRange: '1' })]);
  const readAll = async () => {
    const heard = hearing();
    await group.read(heard, NEVER);
    return heard;
  };
  await peer.ask({ do: 'set', name: 'Float', value: 2 });
  const [first, again] = [await readAll(), await readAll()];
  assert.ok(Math.abs((first.times[0] ?? 0) - Date.now()) < A_MINUTE_MS, String(first.times[0]));
  assert.equal(first.times[0], again.times[0]);
  assert.deepEqual(first.values[1], [[-1n]]);
});

test('10,000 variables are read within the limits of the server, and watched without a loss', async (t) => {
  const session = await connected(t, settingsFor(peer));
  const points = Array.from({ length: NODES }, (_, at) => numberPoint(at));
  assert.deepEqual(
    await read(session, points),
    points.map((_, at) => at),
  );
  const heard = hearing();
  await session.subscribe?.(points, heard, NEVER);
  await eventually('all values to come', () => points.every((_, at) => heard.values[at] !== undefined));
  await peer.ask({ do: 'change', nodes: NODES, perSecond: 5000, rounds: 1 });
  await eventually('the last change of each', () => points.every((_, at) => heard.values[at]?.at(-1) === at + 0.5));
  assert.equal(heard.lostCount, 0);
});

test('a method is called in its own types, and its refusal is told in words', async (t) => {
  const session = await connected(t, settingsFor(peer));
  const type = (text: string) => parseValueType(text) as never;
  const call = (a: bigint, b: number) =>
    session.call?.(
      {
        command: 'add',
        address: { objectId: 'nsu=urn:skerry:peer;s=Press', methodId: 'nsu=urn:skerry:peer;s=Press.Add' },
        input: [
          { name: 'a', type: type('int64'), value: a },
          { name: 'b', type: type('uint16'), value: b },
        ],
        output: [{ name: 'sum', type: type('int64') }],
      },
      NEVER,
    );
  assert.deepEqual(await call(2n ** 60n, 7), { sum: 2n ** 60n + 7n });
  await assert.rejects(
    async () => call(-7n, 7),
    (error) => isDriverError(error, 'Rejected') && /BadOutOfRange/.test(error.message),
  );
});

test('events come with the fields that the model names, from the severity that is asked for', async (t) => {
  const session = await connected(t, settingsFor(peer));
  const heard: (readonly [Readonly<Record<string, unknown>>, number | undefined])[] = [];
  const type = (text: string) => parseValueType(text) as never;
  const fields = [
    { name: 'message', type: type('string') },
    { name: 'severity', type: type('uint16') },
  ];
  const point = { event: 'alarm', address: { minimumSeverity: 500 }, fields };
  await session.listen?.([point], { event: (_index, values, time) => heard.push([values, time]) }, NEVER);
  await peer.ask({ do: 'raise', text: 'nothing much', severity: 100 });
  await peer.ask({ do: 'raise', text: 'stuck', severity: 900 });
  await eventually('the event', () => heard.length === 1);
  assert.deepEqual(heard[0]?.[0], { message: 'stuck', severity: 900 });
  assert.ok(Math.abs((heard[0]?.[1] ?? 0) - Date.now()) < A_MINUTE_MS);
});

test('the past is read, oldest first, no more of it than is asked for', async (t) => {
  const session = await connected(t, settingsFor(peer));
  const trend = pointFor('Trend', 'float64');
  const now = hearing();
  await peer.ask({ do: 'set', name: 'Trend', value: 1 });
  await session.group([trend]).read(now, NEVER);
  for (const value of [2, 3, 4]) await peer.ask({ do: 'set', name: 'Trend', value });
  const heard = hearing();
  const points = [trend, pointFor('Double', 'float64')];
  const from = Math.floor(now.times[0] ?? 0);
  await session.history?.({ points, from, to: from + A_MINUTE_MS, limit: 3 }, heard, NEVER);
  assert.deepEqual(heard.values[0], [1, 2, 3]);
  assert.ok(isDriverError(heard.errors[1]), 'a variable without a history fails alone');
  assert.equal(
    await peer.ask({ do: 'unfinished' }),
    0,
    'a server has room for few answers that nobody reads to their end',
  );
});

test('what is below an object is told with type and access, as a visitor would name it', async (t) => {
  const session = await connected(t, settingsFor(peer));
  const entries: BrowseEntry[] = [];
  for await (const entry of session.browse?.({ nodeId: 'nsu=urn:skerry:peer;s=Press' }, NEVER) ?? [])
    entries.push(entry);
  const named = (name: string) => entries.find((entry) => entry.name === name);
  assert.deepEqual(named('Int64'), {
    address: { nodeId: 'nsu=urn:skerry:peer;s=Int64' },
    name: 'Int64',
    kind: 'Variable',
    type: 'int64',
    isWritable: true,
  });
  assert.equal(named('Doubles')?.type, 'float64[]');
  assert.equal(named('Locked')?.isWritable, false);
  assert.deepEqual(named('Add')?.address, {
    objectId: 'nsu=urn:skerry:peer;s=Press',
    methodId: 'nsu=urn:skerry:peer;s=Press.Add',
  });
});

test('a server is found with its name, its best security and its variables', async () => {
  const found: FoundDevice[] = [];
  const request = {
    settings: settingsFor(peer),
    scan: { servers: true, from: 'nsu=urn:skerry:peer;s=Press' },
    limit: 10,
  };
  for await (const device of driver.discover?.(request, contextOf()) ?? []) found.push(device);
  assert.deepEqual(
    found.map(({ fingerprint, name, endpoint }) => ({ fingerprint, name, endpoint })),
    [{ fingerprint: 'urn:skerry:peer', name: 'Peer', endpoint: peer.endpoint }],
  );
  assert.ok(found[0]?.variables?.some(({ name, type }) => name === 'UInt64' && type === 'uint64'));
});
