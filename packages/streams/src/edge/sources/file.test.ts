import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { fakeClock } from '@skerry/testkit';
import { eventually } from '@skerry/testkit/processes';
import type { StreamSpec } from '../../kinds/stream.ts';
import { MAX_MESSAGE_BYTES } from '../decode.ts';
import { openFile } from './file.ts';

interface Scene {
  readonly path: string;
  /** Fields `v` of the rows that have come. */
  readonly rows: unknown[];
  readonly failures: string[];
  /** Reads from there until it is left. */
  readonly read: (position?: unknown) => { readonly position: () => unknown; readonly leave: () => Promise<void> };
  /** Lets the file be looked at until this is so. */
  readonly until: (what: string, isSo: () => boolean) => Promise<void>;
}

const LOOK_MS = 500;

async function check(spec: Omit<StreamSpec, 'source'>, story: (scene: Scene) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-file-'));
  const path = join(folder, 'in');
  const clock = fakeClock();
  const rows: unknown[] = [];
  const failures: string[] = [];
  const target = {
    row: (row: object) => void rows.push((row as { readonly v?: unknown }).v),
    failed: (error: unknown) => void failures.push(String(error)),
    problem: () => {},
    end: () => {},
  };
  const context = {
    namespace: 'default',
    name: 's',
    clock,
    log: silentLogger,
    random: Math.random,
    folder,
    secret: {},
  };
  try {
    await story({
      path,
      rows,
      failures,
      read: (position) => {
        const source = openFile({ ...spec, source: { file: { path: 'in', follow: true } } }, target, context, position);
        return { position: () => source.position?.(), leave: () => source.close() };
      },
      until: async (what, isSo) => {
        await eventually(what, async () => {
          await clock.advance(LOOK_MS);
          return isSo();
        });
      },
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('a line that is too long is passed over and counted once, also while its end is still to come', () =>
  check({}, async ({ path, rows, failures, read, until }) => {
    const long = `{"v":"${'x'.repeat(MAX_MESSAGE_BYTES)}`;
    writeFileSync(path, `{"v":1}\n${long}`);
    const first = read();
    await until('the row before it is there', () => rows.length === 1);
    const before = first.position();
    appendFileSync(path, 'x'.repeat(100));
    await until('it is looked at again', () => true);
    assert.deepEqual(first.position(), before);
    await first.leave();
    assert.deepEqual(failures, []);
    const second = read(before);
    appendFileSync(path, 'x'.repeat(600_000));
    await until('the rest of it is looked at', () => true);
    appendFileSync(path, 'x"}\n{"v":2}\n');
    await until('the row after it is there', () => rows.length === 2);
    appendFileSync(path, '{"v":3}\n');
    await until('the next one is, too', () => rows.length === 3);
    await second.leave();
    assert.deepEqual(rows, [1, 2, 3]);
    assert.equal(failures.length, 1);
    assert.match(failures[0] ?? '', /more than 16777216 bytes/);
  }));

test('a file of CSV that is begun anew has a header of its own', () =>
  check({ format: 'Csv' }, async ({ path, rows, failures, read, until }) => {
    writeFileSync(path, 'a,v\n0,1\n0,2\n');
    const source = read();
    await until('both rows are there', () => rows.length === 2);
    writeFileSync(path, 'v,a\n3,0\n');
    await until('the row of the new file is', () => rows.length === 3);
    await source.leave();
    assert.deepEqual([rows, failures], [[1, 2, 3], []]);
  }));

test('a file of CSV that is gone on with in the middle is read by its header', () =>
  check({ format: 'Csv' }, async ({ path, rows, read, until }) => {
    writeFileSync(path, 'a,v\n0,1\n');
    const first = read();
    await until('the row is there', () => rows.length === 1);
    await first.leave();
    appendFileSync(path, '0,2\n');
    const second = read(first.position());
    await until('the next one is', () => rows.length === 2);
    await second.leave();
    assert.deepEqual(rows, [1, 2]);
  }));
