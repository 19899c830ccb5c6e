/** Rules between topics of a broker, and what becomes of messages while nobody takes them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeClock } from '@skerry/testkit';
import { eventually } from '@skerry/testkit/processes';
import { connectAsync } from 'mqtt';
import type { StreamSpec } from '../kinds/stream.ts';
import type { Row } from '../sql/index.ts';
import { KeptStream } from './kept-stream.ts';
import { openMessageLog } from './message-log.ts';
import { openMqtt } from './sources/mqtt.ts';
import { scratchBroker } from './testing/scratch-broker.ts';
import { scratchStreams } from './testing/scratch-streams.ts';
import { sinkContext } from './testing/sink-context.ts';

test('messages of quality 1 become rows once each, also those that come while the worker is away', async () => {
  await using broker = await scratchBroker();
  await using scratch = await scratchStreams();
  const server = broker.url;
  const client = await connectAsync(server);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => client.endAsync(true));
  const seen: string[] = [];
  client.on('message', (topic, payload) => seen.push(`${topic} ${payload.toString()}`));
  await client.subscribeAsync('out/#', { qos: 1 });
  await scratch.stream('meters', { source: { mqtt: { server, topic: 'meters/+', qos: 1 } } });
  await scratch.rule('r', {
    sql: 'SELECT id, v, meta(topic) AS topic FROM meters WHERE v > 1',
    sinks: [{ name: 'out', fields: ['v', 'topic'], mqtt: { server, topic: 'out/{id}', qos: 1 } }],
  });
  await scratch.until('it runs', async () => (await scratch.status('r'))?.state === 'Running');
  for (const v of [1, 2, 3]) await client.publishAsync('meters/a', JSON.stringify({ id: 'a', v }), { qos: 1 });
  await scratch.until('results', () => seen.length === 2);
  await scratch.restart(() => client.publishAsync('meters/b', JSON.stringify({ id: 'b', v: 4 }), { qos: 1 }));
  await scratch.until('what came meanwhile', () => seen.length >= 3);
  assert.deepEqual(seen, [
    'out/a {"v":2,"topic":"meters/a"}',
    'out/a {"v":3,"topic":"meters/a"}',
    'out/b {"v":4,"topic":"meters/b"}',
  ]);
});

test('a message that cannot be kept now is sent again by the broker', async () => {
  await using broker = await scratchBroker();
  const server = broker.url;
  await using stack = new AsyncDisposableStack();
  const client = await connectAsync(server);
  stack.defer(() => client.endAsync(true));
  const log = openMessageLog(':memory:');
  stack.defer(() => log.close());
  const spec: StreamSpec = { source: { mqtt: { server, topic: 'meters/+', qos: 1 } } };
  const problems: (string | undefined)[] = [];
  const target = {
    row: () => {},
    failed: () => {},
    end: () => {},
    problem: (sentence?: string) => problems.push(sentence),
  };
  const kept: string[] = [];
  let isFull = true;
  const keep = async (_topic: string, body: string) => {
    if (isFull) throw new Error('the disk is full');
    return kept.push(body);
  };
  const context = { ...sinkContext({ sink: { name: 'none' } }), name: 's' };
  const source = openMqtt(spec, target, context, keep);
  stack.defer(() => source.close());
  await eventually('a subscription', () => problems.at(-1) === undefined && problems.length > 0);
  await client.publishAsync('meters/a', 'first', { qos: 1 });
  await eventually('a refusal', () => problems.some((each) => each?.includes('the disk is full')));
  isFull = false;
  await eventually('the message', () => kept.length > 0);
  assert.deepEqual(kept, ['first']);
});

test('what a rule has in no checkpoint comes again after a crash; what it has in one does not', async () => {
  const log = openMessageLog(':memory:');
  const open = (position: unknown) => {
    const rows: Row[] = [];
    const reader = { name: 'default/r', row: (row: Row) => rows.push(row), isFull: () => false, end: () => {} };
    const stream = new KeptStream('default/s', { source: { mqtt: { server: '', topic: '' } } }, log, fakeClock());
    stream.join(reader, position);
    return { rows, reader, stream };
  };
  const first = open(undefined);
  await first.stream.keep('t', '{"v":1}');
  const position = first.stream.position(first.reader);
  first.stream.confirm(first.reader, position);
  await first.stream.keep('t', '{"v":2}');
  await first.stream.keep('t', '{"v":3}');
  const second = open(position);
  await second.stream.keep('t', '{"v":4}');
  const values = (rows: readonly Row[]) => rows.map(({ v }) => v);
  assert.deepEqual(
    [values(first.rows), values(second.rows)],
    [
      [1, 2, 3],
      [2, 3, 4],
    ],
  );
  log.close();
});
