/** Every error code has a heading in docs/reference/errors.md with its message, and is thrown somewhere. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { CodedError } from '@skerry/base';
import { ROOT } from './tasks.ts';

interface Row {
  /** As readers meet it: `LINK_PEER_GONE`. */
  readonly code: string;
  /** The package of the table. */
  readonly owner: string;
  /** How the package makes it: `errors.PEER_GONE(`. */
  readonly call: string;
  readonly message: string;
}

const PAGE = readFileSync(join(ROOT, 'docs/reference/errors.md'), 'utf8');
const sources = globSync('packages/*/src/**/*.ts', { cwd: ROOT })
  .filter((file) => !file.endsWith('.test.ts'))
  .map((file) => ({ file, text: readFileSync(join(ROOT, file), 'utf8') }));

let rows: readonly Row[] = [];
before(async () => {
  const tables = sources.filter(({ text }) => /=\s*defineErrors\(/.test(text));
  rows = (await Promise.all(tables.map(({ file }) => rowsOf(file)))).flat();
});

/** Finds the tables among the exports of a module: objects of factories that make coded errors. */
async function rowsOf(file: string): Promise<Row[]> {
  const exported = Object.entries((await import(join(ROOT, file))) as Record<string, unknown>);
  return exported.flatMap(([name, table]) => {
    if (typeof table !== 'object' || table === null) return [];
    return Object.entries(table).flatMap(([key, factory]) => {
      const error = made(key, factory);
      if (error === undefined) return [];
      return [{ code: error.code, message: error.message, owner: packageOf(file), call: `${name}.${key}(` }];
    });
  });
}

function made(key: string, factory: unknown): CodedError | undefined {
  if (typeof factory !== 'function' || key !== key.toUpperCase()) return undefined;
  const error: unknown = factory();
  return error instanceof CodedError ? error : undefined;
}

function packageOf(file: string): string {
  return file.split('/')[1] ?? '';
}

function sectionsOf(page: string): ReadonlyMap<string, string> {
  const parts = page.split(/^### /m).slice(1);
  return new Map(parts.map((part) => [part.slice(0, part.indexOf('\n')).trim(), part]));
}

test('every code has a heading, and every heading a code', () => {
  assert.ok(rows.length > 50, 'the scan must see the tables');
  assert.deepEqual([...sectionsOf(PAGE).keys()].sort(), rows.map(({ code }) => code).sort());
});

test('every section quotes the message of its code', () => {
  const sections = sectionsOf(PAGE);
  const wrong = rows.filter(({ code, message }) => sections.get(code)?.includes(`\n\`${message}\`\n`) !== true);
  assert.deepEqual(
    wrong.map(({ code, message }) => `${code}: ${message}`),
    [],
  );
});

test('every code is made somewhere', () => {
  const unused = rows.filter(
    ({ owner, call }) => !sources.some(({ file, text }) => packageOf(file) === owner && text.includes(call)),
  );
  assert.deepEqual(
    unused.map(({ code }) => code),
    [],
  );
});
