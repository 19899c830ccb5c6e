/** The values of a CSV file by time: a column `time` in seconds, and one for each signal. */
import { DriverError } from '../../driver-error.ts';

export interface Replay {
  valueAt(column: string, elapsedMs: number): string | undefined;
}

const MAX_ROWS = 1_000_000;

/** Throws `Misconfigured` when the text is no such file. */
export function parseReplay(csv: string, isLooped: boolean): Replay {
  const [head = '', ...lines] = csv.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('#'));
  if (lines.length > MAX_ROWS) throw new DriverError('Misconfigured', `the CSV has more than ${MAX_ROWS} rows`);
  const names = head.split(',').map((name) => name.trim());
  const timeColumn = names.indexOf('time');
  if (timeColumn < 0) throw new DriverError('Misconfigured', 'the CSV has no column "time"');
  const rows = lines.map((line) => line.split(',').map((cell) => cell.trim()));
  const times = rows.map((row) => Number(row[timeColumn]) * 1000);
  const disorder = times.findIndex((time, at) => !(time > (times[at - 1] ?? Number.NEGATIVE_INFINITY)));
  if (disorder >= 0)
    throw new DriverError('Misconfigured', `row ${disorder + 1} of the CSV is not later than the one before`);
  const first = times[0] ?? 0;
  const length = (times.at(-1) ?? 0) - first;
  return {
    valueAt: (column, elapsedMs) => {
      const at = names.indexOf(column);
      if (at < 0 || rows.length === 0) return undefined;
      const offset = isLooped && length > 0 ? elapsedMs % length : Math.min(elapsedMs, length);
      const cell = rows[lastBefore(times, first + offset)]?.[at];
      return cell === '' ? undefined : cell;
    },
  };
}

/** Index of the last time that is not after `time`; the first one when all are. */
function lastBefore(times: readonly number[], time: number): number {
  let [low, high] = [0, times.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((times[middle] ?? 0) <= time) low = middle;
    else high = middle - 1;
  }
  return low;
}
