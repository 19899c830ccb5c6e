/** The `skerry` command against a real cloud and a real node, as a person and as a machine read it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestCloud, TestEdge } from '@skerry/testkit/processes';

let cloud: TestCloud;
let edge: TestEdge;

before(async () => {
  cloud = await TestCloud.start();
  edge = await TestEdge.join(cloud, { name: 'edge-1' });
  await cloud.kubectl(['wait', '--for=condition=Ready', 'node/edge-1', '--timeout=30s']);
});
after(async () => {
  await edge?.[Symbol.asyncDispose]();
  await cloud?.[Symbol.asyncDispose]();
});

async function run(line: string, out: RegExp, err = /^$/, code = 0): Promise<string> {
  const result = await cloud.skerry([...line.split(' '), '--data-dir', cloud.dir]);
  assert.equal(result.code, code, `${result.stdout}${result.stderr}`);
  assert.match(result.stdout, out);
  assert.match(result.stderr, err);
  return result.stdout;
}

async function check(...args: Parameters<typeof run>): Promise<void> {
  await run(...args);
}

test('nodes are listed', () =>
  check('node list', /^NAME +STATUS +POOL +ARCH +ADDRESS +AGENT +AGE\nedge-1 +Ready +- +\w+ +\S+ +v\S+ +\d+s\n$/));

test('nodes are listed for a machine', async () => {
  const [node] = JSON.parse(await run('node list -o json', /^\[/)) as { name: string; runtimes: string[] }[];
  assert.equal(node?.name, 'edge-1');
  assert.ok(node.runtimes.includes('process'));
});

test('a node is shown', () => check('node show edge-1', /^Name: +edge-1\nStatus: +Ready\nEdge: +yes\n/));

test('a node that is not there is said so', () => check('node show edge-9', /^$/, /nodes "edge-9" not found/, 1));

test('a name that never joined is not revoked', () =>
  check('node revoke edge-9', /^$/, /edge-9: no node of this name has joined; 'skerry node list' shows/, 1));

test('a token is printed bare, or with its end for a machine', async () => {
  assert.doesNotMatch((await run('token create --node edge-2', /^\S+\n$/)).trim(), /\s/);
  const created = JSON.parse(await run('token create --node line-* --ttl 5m -o json', /^\{/)) as Record<string, string>;
  assert.equal(created['node'], 'line-*');
  const minutes = (Date.parse(created['expiresAt'] ?? '') - Date.now()) / 60_000;
  assert.ok(minutes > 4 && minutes <= 5.1, `${minutes} minutes`);
});

test('a node that is revoked hears of it, and the user of the way back', () =>
  check('node revoke edge-1', /^$/, /edge-1 is revoked; to let it in again, join it with a new token/));
