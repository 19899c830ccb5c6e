import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger, systemClock } from '@skerry/base';
import { eventually } from '@skerry/testkit/processes';
import { NODE, scratchNode } from '../testing/scratch-node.ts';
import { createHostsNames, formatHosts } from './hosts-names.ts';
import { pod, service, viewsOf, WEB } from './testing/world.ts';

test('names lead straight to the pods, short ones in their own namespace only', () => {
  const all = service('all', { clusterIP: 'None', selector: { app: 'web' }, ports: [] });
  const views = viewsOf({
    services: [WEB, all],
    pods: [pod('a', { ip: '192.0.2.7', hostname: 'web-0', subdomain: 'all' })],
  });
  assert.deepEqual(formatHosts('127.0.0.1\tlocalhost\n', views, 'shop').split('\n'), [
    '127.0.0.1\tlocalhost',
    '192.0.2.7\tall.shop.svc.cluster.local\tall.shop.svc\tall.shop\tall',
    '192.0.2.7\tweb-0.all.shop.svc.cluster.local\tweb-0.all.shop.svc\tweb-0.all.shop\tweb-0.all',
    '192.0.2.7\tweb.shop.svc.cluster.local\tweb.shop.svc\tweb.shop\tweb',
    '',
  ]);
  assert.ok(formatHosts('', views, 'other').includes('\tweb.shop\n'));
});

test('the file that running pods see follows what happens, and stays the same file', async () => {
  await using node = await scratchNode();
  const home = mkdtempSync(join(tmpdir(), 'skerry-names-'));
  const hostFile = join(home, 'hosts');
  writeFileSync(hostFile, '127.0.0.1\tlocalhost\n');
  const names = createHostsNames({ node: NODE, home, clock: systemClock, log: silentLogger, hostFile });
  const stop = new AbortController();
  const running = names.run({ client: node.client, ready: Promise.resolve() }, stop.signal);
  const { hostPath, mountPath } = names.mountFor('default');
  const { ino } = statSync(hostPath);
  assert.deepEqual([mountPath, readFileSync(hostPath, 'utf8')], ['/etc/hosts', '127.0.0.1\tlocalhost\n']);
  const spec = { selector: { app: 'web' }, ports: [{ port: 80, protocol: 'TCP' }] };
  await node.create('services', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default' },
    spec,
  });
  await node.run('web', { command: ['sleep', '1000'] }, {}, { labels: { app: 'web' } });
  await eventually('the name is there', () =>
    readFileSync(hostPath, 'utf8').includes('127.0.0.1\tweb.default.svc.cluster.local'),
  );
  await node.delete('web', 0);
  await eventually('the name is gone', () => !readFileSync(hostPath, 'utf8').includes('web.default'));
  assert.equal(statSync(hostPath).ino, ino);
  stop.abort();
  await running;
  rmSync(home, { recursive: true, force: true });
});
