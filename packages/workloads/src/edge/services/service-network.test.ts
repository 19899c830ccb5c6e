import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger, systemClock } from '@skerry/base';
import { requireSystem } from '@skerry/testkit/processes';
import { type Circumstances, openServiceNetwork, whatLacks } from './service-network.ts';

function check(circumstances: Partial<Circumstances>, reason: string | undefined, message = /^$/): void {
  const lack = whatLacks({ isWanted: true, isRoot: true, find: (tool) => `/usr/sbin/${tool}`, ...circumstances });
  assert.equal(lack?.reason, reason);
  assert.match(lack?.message ?? '', message);
}

test('what is in the way is said by name, with what to do', () => {
  check({}, undefined);
  check({ isRoot: false }, 'NotRoot', /run it as root/);
  check({ find: () => undefined }, 'NftablesMissing', /nft and ip missing; apt-get install nftables iproute2/);
  check({ find: (tool) => (tool === 'ip' ? undefined : tool) }, 'IprouteMissing', /apt-get install iproute2/);
  check({ isWanted: false }, 'SwitchedOff', /--services off/);
});

const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'shop', uid: 'u' },
  spec: { containers: [] },
};

test('switched off, pods have what the host has, and the node says why', async () => {
  const options = { node: 'edge-1', home: '/nowhere', isWanted: false, clock: systemClock, log: silentLogger };
  const network = await openServiceNetwork(options);
  assert.deepEqual([network.address, network.dnsOf(POD), network.hostsOf(POD)], [undefined, undefined, undefined]);
  const { type, status, reason } = network.state();
  assert.deepEqual([type, status, reason], ['ServicesAvailable', 'False', 'SwitchedOff']);
});

test('the next agent finds what the one before has left, and takes it away with the pods', async (t) => {
  if (!requireSystem(t, 'root', 'nftables', 'iproute2')) return;
  const home = mkdtempSync(join(tmpdir(), 'skerry-network-'));
  const options = { node: 'edge-1', home, isWanted: true, clock: systemClock, log: silentLogger };
  const first = await openServiceNetwork(options);
  assert.deepEqual([first.state().status, first.dnsOf(POD)?.servers], ['True', [first.address]]);
  await first.close();
  const second = await openServiceNetwork(options);
  assert.equal(second.address, first.address);
  await second.admit(POD, ['10.99.7.2']);
  await second.remove();
  await second.close();
  rmSync(home, { recursive: true, force: true });
});
