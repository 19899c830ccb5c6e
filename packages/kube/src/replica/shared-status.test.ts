import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statusFrom } from './shared-status.ts';

function check(current: unknown, told: unknown, expected: unknown): void {
  assert.deepEqual(statusFrom('edge-1', current, told), expected);
}

test('a node writes its own entry, and leaves those of others as the cloud has them', () =>
  check(
    { state: 'Running', nodes: ['edge-1', 'edge-2'], onNodes: { 'edge-1': { rows: 1 }, 'edge-2': { rows: 9 } } },
    { state: 'Failed', nodes: ['edge-1'], onNodes: { 'edge-1': { rows: 2 }, 'edge-2': { rows: 3 }, 'edge-3': {} } },
    { state: 'Failed', nodes: ['edge-1', 'edge-2'], onNodes: { 'edge-1': { rows: 2 }, 'edge-2': { rows: 9 } } },
  ));

test('a node takes its own entry out', () =>
  check({ onNodes: { 'edge-1': {}, 'edge-2': {} } }, { onNodes: { 'edge-2': {} } }, { onNodes: { 'edge-2': {} } }));

test('a status that is not shared is the whole of it', () => {
  check({ phase: 'Pending', onNodes: {} }, { phase: 'Running' }, { phase: 'Running' });
  check(undefined, { onNodes: { 'edge-1': { a: 1 } } }, { onNodes: { 'edge-1': { a: 1 } } });
});
