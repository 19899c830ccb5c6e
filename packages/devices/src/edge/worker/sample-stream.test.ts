import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { isInShare, type SampleLine } from '../../telemetry/samples.ts';
import { type ScratchWorker, scratchWorker } from '../testing/scratch-worker.ts';
import { streamSamples } from './sample-stream.ts';

/** The reader's side of an answer, which may stop reading. */
class Reader extends EventEmitter {
  writableNeedDrain = false;
  readonly lines: SampleLine[] = [];

  write(text: string): void {
    this.lines.push(JSON.parse(text) as SampleLine);
  }

  end(): void {}

  /** Of one property, in the order they came. */
  valuesOf(device: string, property: string): unknown[] {
    const ids = new Set(
      this.lines.flatMap(({ series }) =>
        series?.device === device && series.property === property ? [series.id] : [],
      ),
    );
    return this.lines.flatMap(({ rows }) => (rows?.values ?? []).filter((_, at) => ids.has(rows?.series[at] ?? -1)));
  }
}

async function check(story: (world: { scratch: ScratchWorker; reader: Reader }) => Promise<void>): Promise<void> {
  await using scratch = await scratchWorker();
  await scratch.model('model', {
    structs: [{ name: 'pair', fields: [{ name: 'a', type: 'int8' }] }],
    properties: [
      { name: 'count', type: 'float64' },
      { name: 'big', type: 'uint64' },
      { name: 'pair', type: 'pair' },
    ],
    events: [{ name: 'full', fields: [{ name: 'count', type: 'uint32' }] }],
  });
  await scratch.device('a', {
    visitors: [
      { property: 'count', address: { signal: 'Counter', period: '100ms' }, scanClass: '100ms' },
      { property: 'big', address: { signal: 'Constant', initial: { value: '18446744073709551615' } } },
      { property: 'pair', address: { signal: 'Constant', initial: { value: { a: -1 } } } },
    ],
    events: [{ name: 'full', address: { period: '500ms' } }],
  });
  await scratch.until('first values', async () => scratch.worker.last.change >= 3);
  const reader = new Reader();
  streamSamples(scratch.worker, { namespace: 'default' }, reader as unknown as ServerResponse);
  await story({ scratch, reader });
  reader.emit('close');
}

test('it begins with what is known, and goes on with every change, in order', () =>
  check(async ({ scratch, reader }) => {
    assert.deepEqual(reader.valuesOf('a', 'big'), ['18446744073709551615']);
    assert.deepEqual(reader.valuesOf('a', 'pair'), [{ a: -1 }]);
    await scratch.until('ten counts', async () => reader.valuesOf('a', 'count').length >= 10);
    const counts = reader.valuesOf('a', 'count').map(Number);
    for (const [at, count] of counts.entries()) assert.equal(count, (counts[0] ?? 0) + at);
  }));

test('it tells what devices report by themselves', () =>
  check(async ({ scratch, reader }) => {
    const events = () => reader.lines.flatMap(({ event }) => event ?? []);
    await scratch.until('two events', async () => events().length >= 2);
    const [first, second] = events();
    assert.deepEqual([first?.namespace, first?.device, first?.event], ['default', 'a', 'full']);
    assert.equal(Number(second?.fields['count']), Number(first?.fields['count']) + 1);
  }));

test('a reader that stops gets what waited once it reads on', () =>
  check(async ({ scratch, reader }) => {
    reader.writableNeedDrain = true;
    await scratch.until('some counts', async () =>
      scratch.worker.bus.subscriptions().some(({ waiting }) => waiting > 5),
    );
    const before = reader.valuesOf('a', 'count').length;
    reader.writableNeedDrain = false;
    reader.emit('drain');
    await scratch.until('what waited', async () => reader.valuesOf('a', 'count').length > before + 4);
  }));

test('whoever has a share of the devices hears of those alone', () =>
  check(async ({ scratch }) => {
    const heard = [0, 1].map((index) => {
      const other = new Reader();
      streamSamples(scratch.worker, { share: { index, of: 2 } }, other as unknown as ServerResponse);
      return other;
    });
    const at = isInShare('a', { index: 0, of: 2 }) ? 0 : 1;
    await scratch.until('some counts', async () => (heard[at]?.valuesOf('a', 'count').length ?? 0) >= 4);
    assert.deepEqual(heard[1 - at]?.lines, []);
    for (const other of heard) other.emit('close');
  }));

test('who leaves leaves nothing behind', async () => {
  let worker: ScratchWorker['worker'] | undefined;
  await check(async ({ scratch, reader }) => {
    ({ worker } = scratch);
    reader.emit('close');
    assert.equal(
      worker.bus.subscriptions().some(({ name }) => name === 'samples'),
      false,
    );
  });
});
