import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { fakeClock } from '@skerry/testkit';
import { createBus, LastValues, SeriesTable } from '../../contract/index.ts';
import { fileSink } from './file.ts';
import type { Sink } from './sink.ts';

/** A step: a result, a checkpoint, one that is not committed before the crash, or the crash itself. */
type Step = number | 'checkpoint' | 'lost checkpoint' | 'crash';

/** What the files hold in the end, the oldest lines first: after a crash what was not in a checkpoint is given anew. */
async function check(steps: readonly Step[], expected: readonly number[], maxBytes: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-sink-'));
  const open = (saved: unknown): Sink =>
    fileSink({
      namespace: 'default',
      rule: 'r',
      sink: { name: 'out', file: { path: 'out.jsonl', maxBytes } },
      clock: fakeClock(),
      log: silentLogger,
      random: Math.random,
      folder,
      secret: {},
      values: {
        bus: createBus(),
        series: new SeriesTable(),
        last: new LastValues(),
        devices: () => [],
        onDevices: () => () => {},
        write: async () => ({}),
      },
      store: () => Promise.reject(new Error('there is no store')),
      maxWaiting: 10,
      saved,
    });
  try {
    let sink = open(undefined);
    let saved = sink.save?.();
    for (const step of steps) {
      if (typeof step === 'number') sink.take([{ v: step }], 0);
      else if (step === 'checkpoint') saved = sink.save?.();
      else if (step === 'lost checkpoint') sink.save?.();
      else {
        await sink.close();
        sink = open(saved);
      }
    }
    await sink.close();
    const files = [3, 2, 1, 0].map((at) => join(folder, at === 0 ? 'out.jsonl' : `out.jsonl.${at}`)).filter(existsSync);
    const lines = files.flatMap((file) =>
      readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== ''),
    );
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { readonly v: number }).v),
      expected,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const LARGE = 1024;
/** Every file is full with its first line. */
const SMALL = 1;

test('what was written after the checkpoint is cut off and written anew', () =>
  check([1, 'checkpoint', 2, 3, 'crash', 2, 3], [1, 2, 3], LARGE));

test('a file that there was not at the checkpoint begins anew', () => check([1, 2, 'crash', 1, 2], [1, 2], LARGE));

test('a file that was put aside with its checkpoint stays as it is', () =>
  check([1, 'checkpoint', 2, 'crash', 2, 'checkpoint', 3], [1, 2, 3], SMALL));

test('a file that was put aside before its checkpoint was safe is cut off where it is', () =>
  check([1, 'checkpoint', 2, 'checkpoint', 3, 'lost checkpoint', 4, 'crash', 3, 4], [1, 2, 3, 4], SMALL));
