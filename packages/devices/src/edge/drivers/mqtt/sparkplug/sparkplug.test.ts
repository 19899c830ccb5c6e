/** Sparkplug B against another implementation of its payloads, and its births, data and deaths. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import fc from 'fast-check';
import { SparkplugMetrics } from './metrics.ts';
import { DataType, decodeSparkplug, encodeSparkplug, typedValue } from './payload.ts';

interface Peer {
  encodePayload(payload: object): Uint8Array;
  decodePayload(bytes: Uint8Array): { readonly metrics: readonly Readonly<Record<string, unknown>>[] };
}
const peer = (createRequire(import.meta.url)('sparkplug-payload') as { get(namespace: string): Peer }).get('spBv1.0');

const VALUES: readonly (readonly [keyof typeof DataType, unknown])[] = [
  ['Int8', -5],
  ['Int16', -300],
  ['Int32', -70_000],
  ['UInt8', 250],
  ['UInt16', 65_000],
  ['UInt32', 4_000_000_000],
  ['Float', 1.5],
  ['Double', -2.25],
  ['Boolean', true],
  ['String', 'grün'],
  ['Text', 'text'],
];

test('what another implementation writes is read as it was meant', () => {
  const metrics = VALUES.map(([type, value]) => ({ name: type, type, value }));
  const read = decodeSparkplug(peer.encodePayload({ timestamp: 1000, seq: 3, metrics }));
  assert.equal(read.seq, 3);
  assert.equal(read.timestamp, 1000);
  assert.deepEqual(
    read.metrics.map(({ name, value = 0, datatype = 0 }) => [name, typedValue(value, datatype)]),
    VALUES.map(([type, value]) => [type, value]),
  );
});

test('what is written another implementation reads', () => {
  const metrics = VALUES.map(([type, value]) => ({ name: type, datatype: DataType[type], value: value as number }));
  const read = peer.decodePayload(encodeSparkplug({ timestamp: 1000, metrics }));
  for (const [at, [type, value]] of VALUES.entries()) {
    assert.equal(read.metrics[at]?.['type'], type);
    const heard = read.metrics[at]?.['value'];
    // Its integers of 64 bits are objects.
    assert.equal(typeof value === 'number' ? Number(heard) : heard, value);
  }
});

test('integers of 64 bits keep every digit, and arrays are read by their type', () => {
  for (const value of [-(2n ** 63n), 2n ** 63n - 1n, -1n]) {
    const bytes = encodeSparkplug({ metrics: [{ name: 'x', datatype: DataType.Int64, value }] });
    const [metric] = decodeSparkplug(bytes).metrics;
    assert.equal(typedValue(metric?.value ?? 0, DataType.Int64), value);
  }
  assert.deepEqual(typedValue(Uint8Array.of(0xff, 0xff, 1, 0), 23), [-1, 1]);
  assert.deepEqual(typedValue(new Uint8Array(Float32Array.of(1.5, -2).buffer), 30), [1.5, -2]);
});

test('bytes that are no payload throw an Error and nothing else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        decodeSparkplug(bytes);
      } catch (error) {
        assert.ok(error instanceof Error);
      }
    }),
  );
});

const TOPIC = (type: string, device = '/meter') => `spBv1.0/plant/${type}/gateway${device}`;

function message(seq: number, metrics: readonly object[]): Uint8Array {
  return peer.encodePayload({ timestamp: 5, seq, metrics });
}

function born(): SparkplugMetrics {
  const metrics = new SparkplugMetrics({ group: 'plant', node: 'gateway', device: 'meter' });
  metrics.hear(TOPIC('NBIRTH', ''), message(0, [{ name: 'bdSeq', type: 'UInt64', value: 4 }]));
  const told = metrics.hear(
    TOPIC('DBIRTH'),
    message(1, [
      { name: 'power', alias: 7, type: 'Int32', value: -3 },
      { name: 'state', alias: 8, type: 'String', value: 'on' },
    ]),
  );
  assert.deepEqual(told, {
    values: [
      { metric: 'power', value: -3, time: 5 },
      { metric: 'state', value: 'on', time: 5 },
    ],
  });
  return metrics;
}

test('after its birth a metric is known by its alias, with its type', () => {
  const told = born().hear(TOPIC('DDATA'), message(2, [{ alias: 7, type: 'Int32', value: -9 }]));
  assert.deepEqual(told, { values: [{ metric: 'power', value: -9, time: 5 }] });
});

test('data before a birth, an unknown alias and a gap in the numbers ask for a birth', () => {
  const unborn = new SparkplugMetrics({ group: 'plant', node: 'gateway', device: 'meter' });
  assert.equal(unborn.hear(TOPIC('DDATA'), message(9, [{ alias: 7, type: 'Int32', value: 1 }])).needsBirth, true);
  const metrics = born();
  assert.equal(metrics.hear(TOPIC('DDATA'), message(2, [{ alias: 99, type: 'Int32', value: 1 }])).needsBirth, true);
  const after = metrics.hear(TOPIC('DDATA'), message(4, [{ alias: 7, type: 'Int32', value: 1 }]));
  assert.equal(after.needsBirth, true);
  assert.equal(after.values.length, 1, 'what is understood is told all the same');
});

test('messages of other devices of the edge node count, and are no news of this one', () => {
  const metrics = born();
  assert.deepEqual(metrics.hear(TOPIC('DDATA', '/other'), message(2, [{ alias: 7, type: 'Int32', value: 1 }])), {
    values: [],
  });
  assert.equal(metrics.hear(TOPIC('DDATA'), message(3, [{ alias: 7, type: 'Int32', value: 1 }])).needsBirth, undefined);
});

test('a death makes everything unknown; that of an earlier connection does not', () => {
  const death = (number: number) => peer.encodePayload({ metrics: [{ name: 'bdSeq', type: 'UInt64', value: number }] });
  const metrics = born();
  assert.equal(metrics.hear(TOPIC('NDEATH', ''), death(3)).death, undefined);
  assert.match(metrics.hear(TOPIC('NDEATH', ''), death(4)).death ?? '', /offline/);
  assert.equal(metrics.hear(TOPIC('DDATA'), message(2, [{ alias: 7, type: 'Int32', value: 1 }])).needsBirth, true);
});

test('a command carries the type of the birth, and there is none for what was never born', () => {
  const metrics = born();
  const [metric] = decodeSparkplug(metrics.command('power', -20, 9) ?? new Uint8Array()).metrics;
  assert.equal(metric?.datatype, DataType.Int32);
  assert.equal(typedValue(metric?.value ?? 0, DataType.Int32), -20);
  assert.equal(metrics.command('never', 1, 9), undefined);
  assert.equal(metrics.commandTopic, 'spBv1.0/plant/DCMD/gateway/meter');
  assert.equal(peer.decodePayload(metrics.rebirth(9)).metrics[0]?.['name'], 'Node Control/Rebirth');
});
