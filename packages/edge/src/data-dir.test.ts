import assert from 'node:assert/strict';
import { test } from 'node:test';
import { edgePaths, hiddenPaths } from './data-dir.ts';

function check(path: string): void {
  const hidden = hiddenPaths(edgePaths('/data', 'edge-1'), '/etc/skerry/keys');
  assert.ok(
    hidden.some((one) => path === one || path.startsWith(`${one}/`)),
    `${path} is hidden`,
  );
}

test('containers see nothing of the node, nor of a cloud beside it, nor any key', () => {
  const { home: _whole, cloud, ...parts } = edgePaths('/data', 'edge-1');
  for (const path of [...Object.values(parts), ...cloud, `${parts.replica}-wal`, '/etc/skerry/keys']) check(path);
});
