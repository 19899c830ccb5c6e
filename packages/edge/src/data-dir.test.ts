import assert from 'node:assert/strict';
import { test } from 'node:test';
import { edgePaths, hiddenPaths } from './data-dir.ts';

function check(path: string): void {
  const hidden = hiddenPaths(edgePaths('/data', 'edge-1'), '/etc/skerry/keys');
  assert.ok(hidden.includes(path), `${path} is hidden`);
}

test('containers see neither the replica, nor what SQLite keeps beside it, nor any key', () => {
  for (const name of ['replica.db', 'replica.db-wal', 'replica.db-shm', 'identity', 'pki', 'kubeconfig', 'supervisor'])
    check(`/data/edge/edge-1/${name}`);
  check('/etc/skerry/keys');
});
