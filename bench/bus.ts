/** The data bus inside a worker: values made, published to three subscribers that read every row, and kept as last values. */
import { BatchBuilder, createBus, LastValues, type Subscription } from '@skerry/streams/contract';
import { report, round } from './support/figures.ts';

const DURATION_MS = 3000;
const SERIES = 10_000;
const SUBSCRIBERS = 3;

let next = 0;

for (const rows of [1000, 100]) measure(rows);

function measure(rows: number): void {
  const bare = perSecond(rows, bareLoop(rows));
  const bus = createBus();
  const subscriptions = Array.from({ length: SUBSCRIBERS }, (_, index) => bus.subscribe({ name: `reader-${index}` }));
  const builder = new BatchBuilder();
  let sum = 0;
  const onBus = perSecond(rows, () => {
    fill(builder, rows);
    const batch = builder.take();
    if (batch !== undefined) bus.publish(batch);
    for (const subscription of subscriptions) sum += read(subscription);
  });
  const lost = subscriptions.reduce((total, { dropped }) => total + dropped, 0);
  if (lost > 0 || sum === 0) throw new Error(`${lost} rows lost`);
  report(
    {
      name: `values to ${SUBSCRIBERS} subscribers, batches of ${rows}`,
      value: Math.round(onBus),
      unit: '/s',
      ...(rows === 1000 ? { atLeast: 5_000_000 } : {}),
      ratio: round(onBus / bare, 2),
      of: 'filling four columns and reading them three times',
    },
    { name: `values kept as last values, batches of ${rows}`, value: Math.round(keepLast(rows)), unit: '/s' },
  );
}

function keepLast(rows: number): number {
  const builder = new BatchBuilder();
  const last = new LastValues();
  return perSecond(rows, () => {
    fill(builder, rows);
    const batch = builder.take();
    if (batch !== undefined) last.apply(batch);
  });
}

function perSecond(rows: number, turn: () => void): number {
  const started = performance.now();
  let turns = 0;
  while (performance.now() - started < DURATION_MS) {
    for (let count = 0; count < 100; count++) turn();
    turns += 100;
  }
  return (turns * rows * 1000) / (performance.now() - started);
}

function fill(builder: BatchBuilder, rows: number): void {
  for (let row = 0; row < rows; row++) builder.add(next++ % SERIES, 1.7e12 + next, next * 0.5, 192);
}

function read(subscription: Subscription): number {
  let sum = 0;
  for (let batch = subscription.take(); batch !== undefined; batch = subscription.take()) {
    const { length, values, series } = batch;
    for (let row = 0; row < length; row++) sum += (values[row] ?? 0) + (series[row] ?? 0);
  }
  return sum;
}

/** The same numbers through plain arrays, without batches, bounds or counts. */
function bareLoop(rows: number): () => void {
  const series = new Uint32Array(rows);
  const times = new Float64Array(rows);
  const values = new Float64Array(rows);
  const qualities = new Uint8Array(rows);
  let sum = 0;
  return () => {
    for (let row = 0; row < rows; row++) {
      series[row] = next++ % SERIES;
      times[row] = 1.7e12 + next;
      values[row] = next * 0.5;
      qualities[row] = 192;
    }
    for (let reader = 0; reader < SUBSCRIBERS; reader++) {
      for (let row = 0; row < rows; row++) sum += (values[row] ?? 0) + (series[row] ?? 0);
    }
    if (!Number.isFinite(sum)) throw new Error('not a number');
  };
}
