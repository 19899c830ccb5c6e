/** What a crash left of the append log, read back into memory. */
import { readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '@skerry/base';
import { type LogReader, readLog } from './records.ts';

const NAME = /^(\d{16})\.log$/;
const DIGITS = 16;

export function logFileOf(directory: string, generation: number): string {
  return join(directory, `${String(generation).padStart(DIGITS, '0')}.log`);
}

/** The generations whose files are there, rising; those up to `sealed` are in chunks, and removed. */
export function generationsIn(directory: string, sealed: number): readonly number[] {
  const all = readdirSync(directory).flatMap((name) => {
    const [, digits] = NAME.exec(name) ?? [];
    return digits === undefined ? [] : [Number(digits)];
  });
  for (const generation of all) if (generation <= sealed) rmSync(logFileOf(directory, generation));
  return all.filter((generation) => generation > sealed).sort((left, right) => left - right);
}

/** Hands everything in the file to `into` and cuts off what is behind the last whole record; returns where that ends. */
export function recoverLog(file: string, log: Logger, into: LogReader): number {
  const bytes = readFileSync(file);
  const { end, damaged } = readLog(bytes, into);
  if (damaged > 0) log.error({ file, damaged }, 'records of the append log are damaged; their rows are lost');
  if (end < bytes.length) {
    log.warn({ file, bytes: bytes.length - end }, 'the append log ends with a record that is not whole');
    truncateSync(file, end);
  }
  return end;
}
