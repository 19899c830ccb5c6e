/** Pages for people: no dead link, and a Chinese page for each English guide. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { ROOT } from './tasks.ts';

const PAGES = globSync(['*.md', 'docs/**/*.md'], { cwd: ROOT });

/** Written by `npm run bench`: a tree that was never measured has none. */
const MEASURED = 'bench/RESULTS.md';

test('every link to a file of the tree leads to one', () => {
  assert.ok(PAGES.length > 20, 'the scan must see the pages');
  const dead = PAGES.flatMap((page) =>
    linksIn(page).filter((path) => path !== MEASURED && !existsSync(join(ROOT, path))),
  );
  assert.deepEqual(dead, []);
});

test('what ARCHITECTURE.md names is there', () => {
  const text = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
  const paths = [...text.matchAll(/`((?:packages|scripts|test|docs|examples)\/[\w./-]+)`/g)].map(
    ([, path]) => path ?? '',
  );
  assert.ok(paths.length > 30);
  assert.deepEqual(
    paths.filter((path) => !existsSync(join(ROOT, path))),
    [],
  );
});

test('each guide is there in English and in Chinese', () => {
  const names = (folder: string) =>
    globSync(`docs/${folder}/*.md`, { cwd: ROOT })
      .map((path) => basename(path))
      .sort();
  assert.deepEqual(names('zh'), names('guide'));
});

/** As paths from the root. */
function linksIn(page: string): readonly string[] {
  const text = readFileSync(join(ROOT, page), 'utf8');
  return [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
    .map(([, target]) => target ?? '')
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => normalize(join(dirname(page), target)));
}
