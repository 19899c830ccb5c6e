/** Parquet files that were exported, as SQL names them: `exports."training/press"` is all of a directory. */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Files of one directory. */
export interface Exported {
  /** The way to it within the folder. */
  readonly name: string;
  readonly files: readonly string[];
}

/** Quoted in one query. */
const MAX_NAMES = 256;
const MAX_FILES = 10_000;
const ENDING = '.parquet';

/** More files than one query may read. */
export class TooManyFiles extends RangeError {}

/** The directories that a query names. Nothing that a link leads to is among the files. Throws `TooManyFiles`. */
export function exportedIn(folder: string, sql: string): readonly Exported[] {
  if (!/\bexports\b/i.test(sql)) return [];
  const found = quotedIn(sql).flatMap((name) => exportedAs(folder, name) ?? []);
  if (found.reduce((sum, { files }) => sum + files.length, 0) > MAX_FILES)
    throw new TooManyFiles(`more than ${MAX_FILES} files are meant: choose fewer directories`);
  return found;
}

/** Nothing else is looked at on disk. */
function quotedIn(sql: string): readonly string[] {
  const names = new Set([...sql.matchAll(/"((?:[^"]|"")+)"/g)].map(([, name = '']) => name.replaceAll('""', '"')));
  if (names.size > MAX_NAMES)
    throw new TooManyFiles(`more than ${MAX_NAMES} names are quoted: choose fewer directories`);
  return [...names];
}

function exportedAs(folder: string, name: string): Exported | undefined {
  const steps = name.split('/');
  if (steps.some((step) => step === '' || step === '.' || step === '..' || step.includes('\0'))) return undefined;
  let directory = folder;
  for (const step of steps) {
    directory = join(directory, step);
    if (!isDirectory(directory)) return undefined;
  }
  const files = readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ENDING))
    .map((entry) => join(directory, entry.name))
    .sort();
  return files.length === 0 ? undefined : { name, files };
}

/** A link to one is none. */
function isDirectory(path: string): boolean {
  try {
    return lstatSync(path).isDirectory();
  } catch {
    return false;
  }
}
