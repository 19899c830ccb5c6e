/** Rows that are made up: played in turn, with fields that change by themselves. */
import type { Timer } from '@skerry/base';
import { millisecondsOf } from '../../engine/rule/prepare.ts';
import { rowReader } from '../../engine/rule/read-row.ts';
import type { SimulatorSignal, StreamSpec } from '../../kinds/stream.ts';
import type { Source, SourceContext, SourceTarget } from './source.ts';

const DEFAULT_MS = 1000;
const DEFAULT_PERIOD_MS = 10_000;

export function openSimulator(spec: StreamSpec, target: SourceTarget, { clock }: SourceContext): Source {
  const { interval, rowsPerInterval = 1, rows = [], signals = [], loop = true } = spec.source.simulator ?? {};
  const intervalMs = Math.max(1, millisecondsOf(interval, DEFAULT_MS));
  const read = rowReader(spec);
  const fields = signals.map((each) => [each.field, signalOf(each)] as const);
  const began = clock.now();
  let count = 0;
  let timer: Timer | undefined;
  const makeOne = () => {
    const base = rows.length === 0 ? {} : rows[count % rows.length];
    const age = clock.now() - began;
    const made = { ...base, ...Object.fromEntries(fields.map(([field, next]) => [field, next(age, count)])) };
    count++;
    try {
      const { row, time } = read(made);
      target.row(row, time);
    } catch (error) {
      target.failed(error);
    }
  };
  const isOver = () => !loop && rows.length > 0 && count >= rows.length;
  const onTimer = () => {
    for (let made = 0; made < rowsPerInterval && !isOver(); made++) makeOne();
    if (isOver()) target.end();
    else timer = clock.after(intervalMs, onTimer, { unref: true });
  };
  timer = clock.after(intervalMs, onTimer, { unref: true });
  return { close: async () => timer?.cancel() };
}

type Signal = (ageMs: number, count: number) => unknown;

function signalOf(spec: SimulatorSignal): Signal {
  const { signal, minimum = 0, maximum = 100, step = 1, seed = 1, choices = [] } = spec;
  const periodMs = Math.max(1, millisecondsOf(spec.period, DEFAULT_PERIOD_MS));
  const range = maximum - minimum;
  const random = randomOf(seed);
  let walked = minimum + range / 2;
  switch (signal) {
    case 'Sine':
      return (age) => minimum + (range * (1 + Math.sin((2 * Math.PI * age) / periodMs))) / 2;
    case 'Square':
      return (age) => (age % periodMs < periodMs / 2 ? maximum : minimum);
    case 'Sawtooth':
      return (age) => minimum + (range * (age % periodMs)) / periodMs;
    case 'Counter':
      return (_age, count) => minimum + count * step;
    case 'Choice':
      return () => choices[Math.floor(random() * choices.length)] ?? null;
    case 'Walk':
      return () => {
        walked = Math.min(maximum, Math.max(minimum, walked + (random() * 2 - 1) * step));
        return walked;
      };
  }
}

/** The same numbers from 0 to below 1 for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = Math.trunc(seed);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
