import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readAll, readLines } from './text.ts';

const tooLong = () => new Error('too long');

async function check(chunks: readonly (string | Uint8Array)[], limit: number, expected: readonly string[] | Error) {
  const lines: string[] = [];
  const read = async () => {
    for await (const line of readLines(streamOf(chunks), limit, tooLong)) lines.push(line);
  };
  if (expected instanceof Error) await assert.rejects(read, expected);
  else {
    await read();
    assert.deepEqual(lines, expected);
  }
}

async function* streamOf(chunks: readonly (string | Uint8Array)[]): AsyncGenerator<string | Uint8Array> {
  yield* chunks;
}

test('lines do not depend on where the chunks were cut, not even inside a character', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: 'grapheme', minLength: 1 }).filter((line) => !line.includes('\n'))),
      fc.infiniteStream(fc.integer({ min: 1, max: 7 })),
      (lines, sizes) => {
        const bytes = new TextEncoder().encode(lines.map((line) => `${line}\n`).join(''));
        const chunks: Uint8Array[] = [];
        for (let start = 0; start < bytes.length; ) {
          const { value: size } = sizes.next();
          chunks.push(bytes.subarray(start, start + size));
          start += size;
        }
        return check(chunks, 10_000, lines);
      },
    ),
  ));

test('a last line without an end counts', () => check(['a\nb'], 10, ['a', 'b']));

test('a line at the limit passes', () => check(['12345\n'], 5, ['12345']));

test('a line over the limit fails, also when its end never comes', () =>
  check(['123', '456'], 5, new Error('too long')));

test('a body over the limit is refused while it is read', () =>
  assert.rejects(readAll(streamOf(['123', '456']), 5, tooLong), /too long/));
