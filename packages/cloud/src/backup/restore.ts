/** `skerry restore FILE`: a backup back into an empty data directory, with nothing running. */
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import type { FlagTable, FlagValues } from '@skerry/base/flags';
import { readOptionalFile, writePrivateFile } from '@skerry/security/pki';
import { keyFileFor, openWithPassphrase } from '@skerry/security/secrets';
import { type CloudPaths, cloudPaths, makeFolders } from '../data-dir.ts';
import { cloudErrors } from '../errors.ts';
import { type Archive, digestOf, openArchive } from './archive.ts';
import { type KeyBundle, PARTS } from './create.ts';

export function restoreFlags(defaults: { readonly dataDir: string; readonly keyDir: string }) {
  return {
    'data-dir': {
      text: 'The empty directory to restore into.',
      value: 'DIR',
      parse: String,
      fallback: defaults.dataDir,
    },
    'passphrase-file': { text: 'The passphrase that the backup was made with.', value: 'FILE', parse: String },
    'key-file': {
      text: 'Where to put the key of the Secrets.',
      value: 'FILE',
      parse: String,
      fallbackText: `a file in ${defaults.keyDir}`,
    },
  } as const satisfies FlagTable;
}

type RestoreFlags = FlagValues<ReturnType<typeof restoreFlags>>;

/** Gives back what to tell the user. */
export async function restoreCommand(file: string, flags: RestoreFlags, keyDir: string): Promise<string> {
  const dir = flags['data-dir'];
  const paths = cloudPaths(dir);
  if (existsSync(paths.store)) throw cloudErrors.TARGET_IN_USE({ dir });
  const archive = await openArchive(file);
  const keys = await openKeys(file, archive, flags['passphrase-file']);
  if (keys !== undefined && holdsOtherKeys(paths, keys)) throw cloudErrors.TARGET_IN_USE({ dir });
  if (await holdsOtherSeries(paths, archive)) throw cloudErrors.TARGET_IN_USE({ dir });
  makeFolders(paths);
  await restoreStore(archive, paths.store, async () => {
    await restoreSeries(archive, paths.series);
    if (keys !== undefined) writeKeys(paths, flags['key-file'] ?? keyFileFor(keyDir, dir), keys);
  });
  const what = seriesParts(archive).length > 0 ? 'objects and time series' : 'objects';
  const all =
    keys === undefined ? `${what} only; it needs the CA and the key that are on this machine` : `${what}, CA and keys`;
  return `Restored ${all} of ${archive.header.createdAt} into ${dir}.\nStart it with: skerry cloud --data-dir ${dir}\n`;
}

async function openKeys(
  file: string,
  archive: Archive,
  passphraseFile: string | undefined,
): Promise<KeyBundle | undefined> {
  const sealed = await archive.read(PARTS.keys);
  if (sealed === undefined) return undefined;
  if (passphraseFile === undefined) throw cloudErrors.NEEDS_PASSPHRASE({ file });
  const passphrase = await readPassphrase(passphraseFile);
  try {
    return JSON.parse(Buffer.from(await openWithPassphrase(passphrase, sealed)).toString()) as KeyBundle;
  } catch (cause) {
    throw cloudErrors.WRONG_PASSPHRASE({ file }, { cause });
  }
}

async function readPassphrase(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trimEnd();
  } catch (cause) {
    throw cloudErrors.NO_PASSPHRASE_FILE({ file }, { cause });
  }
}

/** Identity files of a restore that was cut off are the backup's own; others belong to some cloud. */
function holdsOtherKeys({ pki }: CloudPaths, keys: KeyBundle): boolean {
  const names = existsSync(pki) ? readdirSync(pki) : [];
  return names.some((name) => readOptionalFile(join(pki, name)) !== decode(keys.pki[name] ?? ''));
}

const SERIES_PART = /^series\/(?:catalog|chunks\/[\dT-]{1,32})\.db$/;

/** Only plain names of a store’s files: a backup is input like any other and must not write elsewhere. */
function seriesParts({ header }: Archive): Archive['header']['parts'] {
  return header.parts.filter(({ name }) => SERIES_PART.test(name));
}

/** Those of a restore that was cut off are the backup's own. */
async function holdsOtherSeries({ series }: CloudPaths, archive: Archive): Promise<boolean> {
  if (!existsSync(series)) return false;
  const parts = new Map(seriesParts(archive).map(({ name, sha256 }) => [name.slice(PARTS.series.length), sha256]));
  for (const entry of readdirSync(series, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    if (entry.isDirectory() || entry.name.endsWith(PARTIAL)) continue;
    if ((await digestOf(file)) !== parts.get(relative(series, file))) return true;
  }
  return false;
}

async function restoreSeries(archive: Archive, series: string): Promise<void> {
  for (const { name } of seriesParts(archive)) {
    const file = join(series, name.slice(PARTS.series.length));
    const partial = `${file}${PARTIAL}`;
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    try {
      await archive.extract(name, partial);
      await rename(partial, file);
    } finally {
      await rm(partial, { force: true });
    }
  }
}

const PARTIAL = '.partial';

/** The store comes last and whole: it is what makes the directory a cloud, so a restore that was cut off can be done again. */
async function restoreStore(archive: Archive, store: string, before: () => Promise<void>): Promise<void> {
  const partial = `${store}${PARTIAL}`;
  try {
    await archive.extract(PARTS.store, partial);
    await before();
    // A log of another database would be taken for this one's.
    for (const companion of ['-wal', '-shm']) await rm(`${store}${companion}`, { force: true });
    await rename(partial, store);
  } finally {
    await rm(partial, { force: true });
  }
}

function writeKeys(paths: CloudPaths, keyFile: string, { pki, sealKey }: KeyBundle): void {
  // Only plain names: a backup is input like any other and must not write elsewhere.
  for (const [name, content] of Object.entries(pki)) writePrivateFile(join(paths.pki, basename(name)), decode(content));
  // A key that is there already may be all that opens some other directory: it stays, after those of the backup.
  const known = (readOptionalFile(keyFile) ?? '').split('\n');
  const restored = decode(sealKey).split('\n');
  const all = [...restored, ...known.filter((line) => !restored.includes(line))].filter((line) => line !== '');
  writePrivateFile(keyFile, `${all.join('\n')}\n`);
}

function decode(content: string): string {
  return Buffer.from(content, 'base64').toString();
}
