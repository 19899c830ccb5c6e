/** What package-lock.json promises to a fresh clone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holesOf, readLock } from './complete-lock.ts';

const lock = readLock();

test('the lock has every optional package of every platform, so that npm ci takes it anywhere', () => {
  assert.deepEqual(
    holesOf(lock).map(({ name }) => name),
    [],
    'run: npm run complete:lock',
  );
});

test('the lock names no registry, so that each machine uses its own', () => {
  const named = Object.entries(lock.packages).filter(
    ([, { link, resolved }]) => link !== true && resolved !== undefined,
  );
  assert.deepEqual(
    named.map(([path]) => path),
    [],
  );
});

test('the Node of both architectures comes with the packages', () => {
  for (const arch of ['x64', 'arm64']) assert.ok(`node_modules/node-linux-${arch}` in lock.packages);
});
