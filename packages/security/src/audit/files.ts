/** The files of an audit log: `audit-0000000001.log`, named after their first line's number, and `head.json`. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const PATTERN = /^audit-(\d{10})\.log$/;

export interface LogFile {
  readonly path: string;
  readonly name: string;
  readonly firstSeq: number;
}

/** Oldest first. */
export function listLogFiles(directory: string): LogFile[] {
  return readdirSync(directory)
    .flatMap((name) => {
      const match = PATTERN.exec(name);
      return match ? [{ name, path: join(directory, name), firstSeq: Number(match[1]) }] : [];
    })
    .sort((a, b) => a.firstSeq - b.firstSeq);
}

export function logFile(directory: string, firstSeq: number): LogFile {
  const name = `audit-${String(firstSeq).padStart(10, '0')}.log`;
  return { name, path: join(directory, name), firstSeq };
}

export function headFile(directory: string): string {
  return join(directory, 'head.json');
}
