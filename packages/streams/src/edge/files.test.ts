/** Files that objects name, and what is in them. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { decoder, lineDecoder } from './decode.ts';
import { pathIn } from './folder.ts';

test('no name leads out of the folder, nor does a link in it', () => {
  const home = mkdtempSync(join(tmpdir(), 'skerry-files-'));
  try {
    const folder = join(home, 'files');
    mkdirSync(join(folder, 'in'), { recursive: true });
    writeFileSync(join(home, 'secret'), '');
    symlinkSync(home, join(folder, 'out'));
    assert.equal(pathIn(folder, 'in/a.csv'), join(folder, 'in/a.csv'));
    symlinkSync(join(home, 'nothing'), join(folder, 'later'));
    symlinkSync(join(folder, 'round'), join(folder, 'round'));
    assert.equal(pathIn(folder, 'not/yet/there.csv'), join(folder, 'not/yet/there.csv'));
    for (const path of ['round', 'round/a']) assert.throws(() => pathIn(folder, path), /ELOOP/, path);
    const deeper = ['out/missing/new', 'later', 'later/new'];
    for (const path of ['..', '../secret', 'in/../../secret', '.', 'out/secret', 'out/new', ...deeper])
      assert.throws(() => pathIn(folder, path), /outside of the folder|leads out of the folder/, path);
  } finally {
    rmSync(home, { recursive: true });
  }
});

/** The rows of lines of CSV. */
function check(lines: readonly string[], expected: readonly object[], delimiter = ','): void {
  const decode = lineDecoder('Csv', delimiter);
  assert.deepEqual(
    lines.flatMap((line) => decode(line)),
    expected,
  );
}

test('the first line of CSV names the fields; numbers and truth values are such', () => {
  check(
    ['a,b,c', '1,x,true', '-2.5,,false'],
    [
      { a: 1, b: 'x', c: true },
      { a: -2.5, c: false },
    ],
  );
  check(['a;b', '007;9007199254740993'], [{ a: '007', b: '9007199254740993' }], ';');
});

test('whatever a quoted field holds, but for line breaks, is read as it was', () =>
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[^\r\n]{1,12}$/), { minLength: 1, maxLength: 5 }), (fields) => {
      const names = fields.map((_, at) => `f${at}`);
      const line = fields.map((field) => `"x${field.replaceAll('"', '""')}"`).join(',');
      check([names.join(','), line], [Object.fromEntries(fields.map((field, at) => [`f${at}`, `x${field}`]))]);
    }),
    { numRuns: runs(200) },
  ));

test('JSON that is too deep to be kept becomes no row', () => {
  const nested = (levels: number) => `${'['.repeat(levels)}1${']'.repeat(levels)}`;
  const decode = decoder({});
  assert.equal(decode(nested(128)).length, 1);
  for (const read of [decode, lineDecoder('Json', ',')])
    assert.throws(() => read(`{"deep":${nested(5000)}}`), /more than 128 levels/);
});
