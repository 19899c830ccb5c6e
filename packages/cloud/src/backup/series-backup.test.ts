/** Time series in a backup: of the directory that the store copies itself into, and back. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { openStore } from '@skerry/kube/store';
import { fakeClock } from '@skerry/testkit';
import { cloudPaths, makeFolders } from '../data-dir.ts';
import { openArchive } from './archive.ts';
import { type BackupWishes, createBackup } from './create.ts';
import { restoreCommand } from './restore.ts';

const FILES = { 'catalog.db': 'the catalogue', 'chunks/2026-01-01T00.db': 'rows', 'chunks/2026-01-02T06.db': 'more' };

interface Scene {
  readonly root: string;
  readonly make: (name: string, wishes: BackupWishes) => Promise<string>;
  /** Into a directory of that name. */
  readonly restore: (file: string, name: string) => Promise<string>;
  readonly seriesOf: (name: string) => string;
}

async function check(story: (scene: Scene) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'skerry-series-backup-'));
  const clock = fakeClock();
  const paths = cloudPaths(join(root, 'source'));
  makeFolders(paths);
  const store = openStore({ file: paths.store, clock, log: silentLogger });
  const copySeries = async (directory: string) => {
    mkdirSync(join(directory, 'chunks'));
    for (const [name, text] of Object.entries(FILES)) writeFileSync(join(directory, name), text);
    return true;
  };
  const source = { store, paths, keyFile: '', version: '0.1.0', clock, copySeries };
  const flags = (name: string) => ({ 'data-dir': join(root, name) });
  try {
    await story({
      root,
      make: async (name, wishes) => {
        const file = join(root, name);
        await writeFile(file, createBackup(source, wishes));
        return file;
      },
      restore: (file, name) =>
        restoreCommand(file, { ...flags(name), 'passphrase-file': undefined, 'key-file': undefined }, root),
      seriesOf: (name) => cloudPaths(join(root, name)).series,
    });
    assert.deepEqual(readdirSync(paths.backups), [], 'no copy stays behind');
  } finally {
    await store.close();
    rmSync(root, { recursive: true });
  }
}

test('time series are in a backup, and come back', () =>
  check(async ({ make, restore, seriesOf }) => {
    const file = await make('whole', { series: true });
    assert.match(await restore(file, 'there'), /^Restored objects and time series only/);
    for (const [name, text] of Object.entries(FILES))
      assert.equal(readFileSync(join(seriesOf('there'), name), 'utf8'), text);
  }));

test('whoever wants none has a backup without them', () =>
  check(async ({ make, restore, seriesOf }) => {
    const file = await make('small', { series: false });
    assert.deepEqual(
      (await openArchive(file)).header.parts.map(({ name }) => name),
      ['store.db'],
    );
    assert.match(await restore(file, 'there'), /^Restored objects only/);
    assert.ok(!existsSync(seriesOf('there')));
  }));

test('a restore that was cut off is done again; time series of another cloud are not written over', () =>
  check(async ({ make, restore, seriesOf, root }) => {
    const file = await make('whole', { series: true });
    const [half, other] = [seriesOf('half'), seriesOf('other')];
    for (const directory of [half, other]) mkdirSync(directory, { recursive: true });
    writeFileSync(join(half, 'catalog.db'), FILES['catalog.db']);
    writeFileSync(join(half, 'catalog.db.partial'), 'cut');
    await restore(file, 'half');
    writeFileSync(join(other, 'catalog.db'), 'of somebody else');
    await assert.rejects(restore(file, 'other'), /already holds a cloud/);
    assert.ok(!existsSync(cloudPaths(join(root, 'other')).store));
  }));

test('time series that were changed in the file are refused, and there is no cloud then', () =>
  check(async ({ make, restore, root }) => {
    const file = await make('whole', { series: true });
    const bytes = readFileSync(file);
    bytes[bytes.length - 1] = 1;
    writeFileSync(file, bytes);
    await assert.rejects(restore(file, 'there'), /its series\/chunks\/2026-01-02T06\.db is damaged/);
    assert.ok(!existsSync(cloudPaths(join(root, 'there')).store));
  }));
