import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openArchive, type PartSource, writeArchive } from './archive.ts';

const dir = mkdtempSync(join(tmpdir(), 'skerry-archive-'));
after(() => rmSync(dir, { recursive: true, force: true }));

async function write(name: string, sources: readonly PartSource[]): Promise<string> {
  const file = join(dir, name);
  await writeFile(file, writeArchive({ createdAt: '2026-11-24T00:00:00Z', version: '0.1.0' }, sources));
  return file;
}

test('parts come back as they went in, also empty ones', async () => {
  const source = join(dir, 'source');
  writeFileSync(source, 'x'.repeat(100_000));
  const file = await write('whole', [
    { name: 'a', file: source },
    { name: 'empty', bytes: Buffer.alloc(0) },
    { name: 'b', bytes: Buffer.from('hello') },
  ]);
  const archive = await openArchive(file);
  await archive.extract('a', join(dir, 'copy'));
  assert.equal(readFileSync(join(dir, 'copy'), 'utf8'), 'x'.repeat(100_000));
  assert.equal((await archive.read('b'))?.toString(), 'hello');
  assert.equal((await archive.read('empty'))?.length, 0);
  assert.equal(await archive.read('c'), undefined);
});

test('a file that was cut is known before anything is taken from it', async () => {
  const file = await write('cut', [{ name: 'a', bytes: Buffer.alloc(1000) }]);
  truncateSync(file, 900);
  await assert.rejects(openArchive(file), /is not a whole backup: it has 900 of/);
});

test('a part that was changed is refused', async () => {
  const file = await write('changed', [{ name: 'a', bytes: Buffer.alloc(1000) }]);
  const bytes = readFileSync(file);
  bytes[bytes.length - 1] = 1;
  writeFileSync(file, bytes);
  await assert.rejects((await openArchive(file)).read('a'), /its a is damaged/);
});

test('another file is refused by its first line', async () => {
  const file = join(dir, 'other');
  writeFileSync(file, 'SQLite format 3\0');
  await assert.rejects(openArchive(file), /does not begin with skerry-backup\/1/);
});
