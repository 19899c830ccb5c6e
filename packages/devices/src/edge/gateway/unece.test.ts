import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engineeringUnit } from './unece.ts';

function check(ucum: string, unitId: number, displayName: string): void {
  assert.deepEqual(engineeringUnit(ucum), { unitId, displayName });
}

test('units have the numbers of their common codes, and the signs that people write', () => {
  check('Cel', 4408652, '°C');
  check('m', 5067858, 'm');
  check('kW.h', 4937544, 'kW·h');
  check('%', 20529, '%');
  check('m3/h', 5067080, 'm³/h');
});

test('a unit without a common code is known by its name', () => {
  check('furlong/wk', -1, 'furlong/wk');
  check('toString', -1, 'toString');
});
