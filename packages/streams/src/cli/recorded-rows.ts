/** Recorded data as the rows of a stream, each coming when it was. */

import { lineDecoder } from '../edge/decode.ts';
import { rowReader } from '../engine/rule/read-row.ts';
import type { GivenRow } from '../engine/rule/run-test.ts';
import type { StreamSpec } from '../kinds/stream.ts';

export interface Recording {
  readonly stream: string;
  readonly spec: StreamSpec;
  /** CSV with a header, or a JSON object a line. */
  readonly text: string;
  readonly isCsv: boolean;
  /** Rows that do not say when they were come so far apart, in milliseconds. */
  readonly everyMs: number;
}

function* recordedRows({ stream, spec, text, isCsv, everyMs }: Recording): Generator<GivenRow> {
  const decode = lineDecoder(isCsv ? 'Csv' : 'Json', spec.delimiter ?? ',');
  const timeOf = timeReader(spec);
  let at = 0;
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === '') continue;
    for (const row of decode(line)) {
      const time = timeOf(row);
      if (time !== undefined) at = Math.max(at, time);
      yield { stream, at, row };
      if (time === undefined) at += everyMs;
    }
  }
}

/** Several recordings in the order of their times; of the same time, in the order in which they were given. */
export function merged(recordings: readonly Recording[]): readonly GivenRow[] {
  return recordings.flatMap((recording) => [...recordedRows(recording)]).sort((one, other) => one.at - other.at);
}

/** What a table holds, from a file. */
export function recordedTable(text: string, isCsv: boolean): readonly Readonly<Record<string, unknown>>[] {
  const decode = lineDecoder(isCsv ? 'Csv' : 'Json', ',');
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  return lines.flatMap((line) => decode(line) as readonly Readonly<Record<string, unknown>>[]);
}

/** Undefined where a row does not say, or says it wrong: that it fails is told later. */
function timeReader(spec: StreamSpec): (row: unknown) => number | undefined {
  // Rows of devices say when they were.
  const timestamp = spec.timestamp ?? (spec.source.devices === undefined ? undefined : { field: 'time' });
  if (timestamp === undefined) return () => undefined;
  const read = rowReader({ timestamp });
  return (row) => {
    try {
      return read(row).time;
    } catch {
      return undefined;
    }
  };
}
