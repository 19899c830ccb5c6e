/** The doors between rooms: what each package may import of the others. The table is the design's; moving a wall needs an ADR. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from './tasks.ts';

/** A package, and the modules of other packages that its product code may import; a trailing `*` covers every door below. */
const DOORS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  api: ['base*'],
  link: ['base*', 'link'],
  kube: ['base*', 'api*'],
  security: ['base*', 'api*'],
  streams: ['base*', 'api*', 'kube/client', 'kube/controller', 'link*'],
  devices: ['base*', 'api*', 'kube/client', 'kube/controller', 'streams/contract'],
  workloads: ['base*', 'api*', 'kube*', 'link*'],
  edge: [
    'base*',
    'api*',
    'kube*',
    'link*',
    'security*',
    'workloads/edge*',
    'workloads/images',
    'devices',
    'devices/supervision',
    'devices/telemetry',
    'devices/worker',
    'streams*',
  ],
  cloud: [
    'base*',
    'api*',
    'kube*',
    'link*',
    'security*',
    'workloads/cloud',
    'workloads/images',
    'workloads/registry',
    'devices',
    'devices/cloud',
    'devices/telemetry',
    'streams',
    'streams/cloud',
    'streams/supervision',
    'streams/telemetry',
  ],
  cli: [
    'base*',
    'api*',
    'kube/client',
    'security*',
    'workloads/images*',
    'devices',
    'devices/telemetry',
    'streams',
    'streams/cli',
    'streams/telemetry',
  ],
  testkit: ['*'],
};

const IMPORT = /(?:from|import)\s*\(?\s*['"]@skerry\/([^'"]+)['"]/g;

function doorsUsed(file: string): readonly string[] {
  return [...readFileSync(join(ROOT, file), 'utf8').matchAll(IMPORT)].map((match) => match[1] ?? '');
}

function isOpen(own: string, door: string): boolean {
  const allowed = DOORS[own] ?? [];
  return door === own || door.startsWith(`${own}/`) || allowed.some((pattern) => matches(pattern, door));
}

function matches(pattern: string, door: string): boolean {
  if (!pattern.endsWith('*')) return pattern === door;
  const stem = pattern.slice(0, -1);
  return door === stem || door.startsWith(stem === '' ? '' : `${stem}/`);
}

test('each package imports only what the table of rooms allows', () => {
  const product = globSync('packages/*/src/**/*.ts', { cwd: ROOT }).filter(
    (file) => !file.endsWith('.test.ts') && !file.includes('/testing/'),
  );
  assert.ok(product.length > 50, 'the scan must see the product');
  const closed = product.flatMap((file) => {
    const own = file.split('/')[1] ?? '';
    return doorsUsed(file)
      .filter((door) => !isOpen(own, door))
      .map((door) => `${file} imports @skerry/${door}`);
  });
  assert.deepEqual(closed, []);
});

test('every package has a row in the table', () => {
  const packages = globSync('packages/*/package.json', { cwd: ROOT }).map((file) => file.split('/')[1]);
  assert.deepEqual(
    packages.filter((name) => name === undefined || !(name in DOORS)),
    [],
  );
});
