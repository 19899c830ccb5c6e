/** The factory's points as the benchmarks of stores use them: made before, so that making them costs nobody time. */
import { type Batch, MAX_BATCH_ROWS } from '@skerry/streams/contract';
import { type FactoryOptions, factoryPoints } from '@skerry/testkit';

/** Batches as full as can be. `number` gives the store's own number of a series. */
export function factoryBatches(options: FactoryOptions, number: (series: number) => number): Batch[] {
  const batches: Batch[] = [];
  let filling = emptyBatch();
  for (const { length, series, times, values, qualities } of factoryPoints(options)) {
    for (let row = 0; row < length; row++) {
      if (filling.length === MAX_BATCH_ROWS) {
        batches.push(filling);
        filling = emptyBatch();
      }
      const at = filling.length++;
      filling.series[at] = number(series[row] ?? 0);
      filling.times[at] = times[row] ?? 0;
      filling.values[at] = values[row] ?? 0;
      filling.qualities[at] = qualities[row] ?? 0;
    }
  }
  return [...batches, filling];
}

/** The same rows, so many in each. */
export function* rebatched(batches: Iterable<Batch>, rows: number): Generator<Batch> {
  for (const { length, series, times, values, qualities } of batches) {
    for (let start = 0; start < length; start += rows) {
      const end = Math.min(length, start + rows);
      yield {
        length: end - start,
        series: series.subarray(start, end),
        times: times.subarray(start, end),
        values: values.subarray(start, end),
        qualities: qualities.subarray(start, end),
      };
    }
  }
}

export function rowsIn(batches: readonly Batch[]): number {
  return batches.reduce((sum, { length }) => sum + length, 0);
}

type Filling = { -readonly [Name in keyof Batch]: Batch[Name] };

function emptyBatch(): Filling {
  return {
    length: 0,
    series: new Uint32Array(MAX_BATCH_ROWS),
    times: new Float64Array(MAX_BATCH_ROWS),
    values: new Float64Array(MAX_BATCH_ROWS),
    qualities: new Uint8Array(MAX_BATCH_ROWS),
  };
}
