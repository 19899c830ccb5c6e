import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Device, WriteRule } from '../resources/device.ts';
import { edgeWinsDesired } from './desired-conflict.ts';

const EARLY = { value: 1, at: '2026-01-01T00:00:00Z' };
const LATE = { value: 2, at: '2026-01-01T00:00:01Z' };

function check(rule: WriteRule | undefined, cloud: unknown, edge: unknown, isEdge: boolean): void {
  const visitor = { property: 'limit', address: {}, ...(rule === undefined ? {} : { writeRule: rule }) };
  const object: Device = {
    apiVersion: 'devices.skerry.io/v1alpha1',
    kind: 'Device',
    metadata: { name: 'tank' },
    spec: { model: { name: 'tank' }, protocol: 'simulator', visitors: [visitor] },
  };
  const path = ['spec', 'desired', 'limit'];
  assert.equal(edgeWinsDesired({ object, path, current: cloud, value: edge }), isEdge);
}

test('cloud-wins is the rule when none is given', () => {
  check('cloud-wins', EARLY, LATE, false);
  check(undefined, EARLY, LATE, false);
});

test('edge-wins: whatever the edge wanted', () => {
  check('edge-wins', LATE, EARLY, true);
  check('edge-wins', LATE, undefined, true);
  check('edge-wins', undefined, EARLY, true);
});

test('edge-wins: not against a wish of the cloud that is forced', () => {
  check('edge-wins', { ...EARLY, force: true }, LATE, false);
  check('edge-wins', EARLY, { ...LATE, force: true }, true);
});

test('last-writer: the later wish', () => {
  check('last-writer', EARLY, LATE, true);
  check('last-writer', LATE, EARLY, false);
  check('last-writer', EARLY, EARLY, false);
  check('last-writer', EARLY, undefined, false);
  check('last-writer', undefined, EARLY, true);
});
