/** An online backup: the store's copy of one instant, the time series, and, under a passphrase, the CA and the key of the Secrets. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Clock } from '@skerry/base';
import type { Store } from '@skerry/kube/store';
import { sealWithPassphrase } from '@skerry/security/secrets';
import type { CloudPaths } from '../data-dir.ts';
import { type PartSource, writeArchive } from './archive.ts';

export interface BackupSource {
  readonly store: Store;
  readonly paths: CloudPaths;
  readonly keyFile: string;
  readonly version: string;
  readonly clock: Clock;
  /** Copies the time series into a directory; false where there are none. */
  readonly copySeries: (directory: string) => Promise<boolean>;
}

export interface BackupWishes {
  readonly passphrase?: string;
  readonly series: boolean;
}

/** What a passphrase opens: the files by name, in base64. */
export interface KeyBundle {
  readonly pki: Readonly<Record<string, string>>;
  readonly sealKey: string;
}

export const PARTS = { store: 'store.db', keys: 'keys', series: 'series/' } as const;

/** The archive as a stream; the temporary copy is gone when it ends, however it ends. */
export async function* createBackup(
  source: BackupSource,
  { passphrase, series }: BackupWishes,
): AsyncGenerator<Uint8Array> {
  const { backups } = source.paths;
  mkdirSync(backups, { recursive: true, mode: 0o700 });
  const work = mkdtempSync(join(backups, 'work-'));
  try {
    const file = join(work, PARTS.store);
    await source.store.backupTo(file);
    const parts: PartSource[] = [{ name: PARTS.store, file }];
    if (passphrase !== undefined)
      parts.push({ name: PARTS.keys, bytes: await sealWithPassphrase(passphrase, readKeys(source)) });
    if (series) parts.push(...(await copySeries(source, join(work, 'series'))));
    yield* writeArchive({ createdAt: new Date(source.clock.now()).toISOString(), version: source.version }, parts);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function copySeries({ copySeries: copy }: BackupSource, directory: string): Promise<readonly PartSource[]> {
  mkdirSync(directory, { mode: 0o700 });
  if (!(await copy(directory))) return [];
  const names = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return names.toSorted().map((file) => ({ name: `${PARTS.series}${relative(directory, file)}`, file }));
}

function readKeys({ paths, keyFile }: BackupSource): Buffer {
  const files = readdirSync(paths.pki).map((name) => [name, readFileSync(join(paths.pki, name)).toString('base64')]);
  const bundle: KeyBundle = { pki: Object.fromEntries(files), sealKey: readFileSync(keyFile).toString('base64') };
  return Buffer.from(JSON.stringify(bundle));
}
