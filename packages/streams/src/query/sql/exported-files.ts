/** Parquet files that were exported, as SQL names them: `exports."training/press"` is all of a directory. */
import { type Dirent, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Files of one directory. */
export interface Exported {
  /** The way to it within the folder. */
  readonly name: string;
  readonly files: readonly string[];
}

const MAX_DEPTH = 8;
const MAX_FILES = 10_000;
const ENDING = '.parquet';

/** More files than one query may read. */
export class TooManyFiles extends RangeError {}

/** The directories that a query names. Nothing that a link leads to is among the files. Throws `TooManyFiles`. */
export function exportedIn(folder: string, sql: string): readonly Exported[] {
  if (!/\bexports\b/i.test(sql) || !existsSync(folder)) return [];
  const found = [...directoriesIn(folder, '', 0)].filter(({ name }) => sql.includes(`"${name.replaceAll('"', '""')}"`));
  if (found.reduce((sum, { files }) => sum + files.length, 0) > MAX_FILES)
    throw new TooManyFiles(`more than ${MAX_FILES} files are meant: choose fewer directories`);
  return found;
}

function* directoriesIn(folder: string, name: string, depth: number): Generator<Exported> {
  const directory = join(folder, name);
  const entries: readonly Dirent[] = readdirSync(directory, { withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith(ENDING));
  if (name !== '' && files.length > 0) yield { name, files: files.map((entry) => join(directory, entry.name)).sort() };
  if (depth === MAX_DEPTH) return;
  for (const entry of entries)
    if (entry.isDirectory())
      yield* directoriesIn(folder, name === '' ? entry.name : `${name}/${entry.name}`, depth + 1);
}
