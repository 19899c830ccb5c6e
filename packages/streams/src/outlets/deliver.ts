/** One batch to its end: rows that an engine will never take do not keep the others from it. */
import type { SeriesRows } from '../store/index.ts';
import { OutletError, type OutletRows, type OutletTarget, type Sent } from './target.ts';

/** Requests that are made to find the rows which an engine refuses; what is still not sent then is refused with them. */
const MAX_REQUESTS = 64;

export interface DeliverOptions {
  readonly signal: AbortSignal;
  readonly onRefused?: (error: unknown, rows: number) => void;
}

/** Throws `OutletError` when the engine could not be asked: then the whole batch is to be sent again. */
export async function deliver(
  target: OutletTarget,
  rows: readonly OutletRows[],
  { signal, onRefused = () => {} }: DeliverOptions,
): Promise<Sent> {
  const waiting = [rows];
  let result: Sent = { rows: 0, dropped: {} };
  for (let requests = 1; ; requests++) {
    const part = waiting.pop();
    if (part === undefined) return result;
    try {
      result = sum(result, await target.send(part, signal));
    } catch (error) {
      // What is no failure of the engine's is one of the rows', and would be the same again.
      if (signal.aborted || (error instanceof OutletError && !error.isFinal)) throw error;
      const count = countOf(part);
      if (count <= 1 || requests >= MAX_REQUESTS) {
        onRefused(error, count);
        result = sum(result, { rows: 0, dropped: { Refused: count } });
      } else waiting.push(...halves(part).toReversed());
    }
  }
}

function countOf(rows: readonly OutletRows[]): number {
  return rows.reduce((count, { rows: { length } }) => count + length, 0);
}

/** Between series; of a single one, between its rows. */
function halves(rows: readonly OutletRows[]): readonly (readonly OutletRows[])[] {
  const [only] = rows;
  const middle = rows.length >> 1;
  if (rows.length > 1 || only === undefined) return [rows.slice(0, middle), rows.slice(middle)];
  const at = only.rows.length >> 1;
  return [[{ ...only, rows: cut(only.rows, 0, at) }], [{ ...only, rows: cut(only.rows, at, only.rows.length) }]];
}

function cut({ times, values, qualities, boxed }: SeriesRows, from: number, to: number): SeriesRows {
  const kept = [...(boxed ?? [])].filter(([row]) => row >= from && row < to);
  return {
    length: to - from,
    times: times.subarray(from, to),
    values: values.subarray(from, to),
    qualities: qualities.subarray(from, to),
    ...(kept.length === 0 ? {} : { boxed: new Map(kept.map(([row, value]) => [row - from, value])) }),
  };
}

function sum(a: Sent, b: Sent): Sent {
  const dropped = { ...a.dropped };
  for (const [reason, count] of Object.entries(b.dropped)) {
    const known = reason as keyof Sent['dropped'];
    dropped[known] = (dropped[known] ?? 0) + count;
  }
  return { rows: a.rows + b.rows, dropped };
}
