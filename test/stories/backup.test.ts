/** Story 7: a backup under load, restored elsewhere with its passphrase; the nodes come back and no pod notices. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Gvr } from '@skerry/api';
import type { Pod } from '@skerry/api/types';
import { createHttpClient, type HttpClient, loadKubeconfig } from '@skerry/kube/client';
import {
  CHECKOUT,
  COUNTING,
  type CommandResult,
  deployment,
  edgeOf,
  eventually,
  GROUNDS,
  type Ground,
  openGrounds,
  pod,
  type Runtime,
  requireSystem,
  runToEnd,
  skipWithout,
  TestCloud,
  TestEdge,
} from '@skerry/testkit/processes';

const CONFIG_MAPS: Gvr = { group: '', version: 'v1', resource: 'configmaps' };
const WRITERS = 32;
/** Written before the backup is asked for. */
const HEAD_START = 10 * WRITERS;
const work = mkdtempSync(join(tmpdir(), 'skerry-backup-'));
const passphraseFile = join(work, 'passphrase');
const file = join(work, 'cloud.backup');
const elsewhere = join(work, 'elsewhere');
let cloud: TestCloud;
let edge: TestEdge;
/** The node has pods of each runtime. */
let grounds: readonly Ground[] = [];
/** What was acknowledged before the backup began. */
let acknowledged: readonly string[] = [];
let podsBefore: readonly string[] = [];

before(async () => {
  writeFileSync(passphraseFile, 'a rock and a hard place\n');
  cloud = await TestCloud.start();
  grounds = await openGrounds();
  edge = await TestEdge.join(cloud, { name: 'edge-1', ...edgeOf(grounds) });
  await cloud.kubectl(['wait', '--for=condition=Ready', 'node/edge-1', '--timeout=30s']);
});
after(async () => {
  await edge?.[Symbol.asyncDispose]();
  await Promise.all(grounds.map((ground) => ground[Symbol.asyncDispose]()));
  await cloud?.[Symbol.asyncDispose]();
  rmSync(work, { recursive: true, force: true });
});

function restore(from: string, to: string, ...args: readonly string[]): Promise<CommandResult> {
  return runToEnd(join(CHECKOUT, 'bin', 'skerry'), ['restore', from, '--data-dir', to, ...args], {
    env: { SKERRY_KEY_DIR: `${to}-keys` },
  });
}

/** Expects one sentence that says why, and a directory that is as it was. */
async function checkRefused(attempt: () => Promise<CommandResult>, reason: RegExp, dir: string): Promise<void> {
  const before = digestOf(dir);
  const { code, stdout, stderr } = await attempt();
  assert.notEqual(code, 0, stdout);
  assert.match(stderr, reason);
  assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
  assert.equal(digestOf(dir), before, 'the directory was touched');
}

function digestOf(dir: string): string {
  if (!existsSync(dir)) return 'absent';
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' }).toSorted();
  const hash = createHash('sha256');
  for (const name of files) {
    hash.update(`${name}\n`);
    if (statSync(join(dir, name)).isFile()) hash.update(readFileSync(join(dir, name)));
  }
  return hash.digest('hex');
}

async function clientOf(of: TestCloud): Promise<HttpClient> {
  const { connection } = await loadKubeconfig(of.kubeconfig);
  return createHttpClient({ connection });
}

/** Creates one after the other until it is told to stop; `done` holds what was acknowledged, in order. */
async function write(client: HttpClient, writer: number, done: string[], signal: AbortSignal): Promise<void> {
  for (let index = 0; !signal.aborted; index++) {
    const name = `w${writer}-${String(index).padStart(6, '0')}`;
    await client.create(CONFIG_MAPS, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name, namespace: 'load' },
      data: { name },
    });
    done.push(name);
  }
}

async function containers(): Promise<readonly string[]> {
  const { items } = await cloud.get<{ items: Pod[] }>(['pods', '-l', 'story=backup']);
  return items
    .map(({ metadata, status }) => {
      const [main] = status?.containerStatuses ?? [];
      return `${metadata.name} ${main?.containerID} ${main?.restartCount}`;
    })
    .toSorted();
}

for (const { name, needs } of GROUNDS) {
  test(`pods run with ${name}`, { skip: skipWithout(...needs) }, async () => {
    const runtime = grounds.find((ground) => ground.runtime.name === name)?.runtime;
    assert.ok(runtime !== undefined);
    const labels = { story: 'backup' };
    await cloud.apply(deployment(runtime, { name: `web-${name}`, replicas: 2, script: COUNTING, labels }));
    await cloud.kubectl(['rollout', 'status', `deployment/web-${name}`, '--timeout=60s']);
  });
}

/** One pod of each runtime. */
async function runEach(prefix: string): Promise<void> {
  const manifest = (runtime: Runtime) =>
    pod(runtime, {
      name: `${prefix}-${runtime.name}`,
      script: COUNTING,
      spec: { nodeName: 'edge-1' },
      labels: { prefix },
    });
  for (const { runtime } of grounds) await cloud.apply(manifest(runtime));
  await cloud.kubectl(['wait', '--for=condition=Ready', 'pod', '-l', `prefix=${prefix}`, '--timeout=60s']);
}

test('a backup is made while 32 clients write', async (t) => {
  if (!requireSystem(t, 'bubblewrap')) return;
  await cloud.kubectl(['create', 'namespace', 'load']);
  await cloud.kubectl(['create', 'secret', 'generic', 'harbour', '--from-literal=key=beneath the third stone']);
  using client = await clientOf(cloud);
  const stop = new AbortController();
  const done: string[] = [];
  const writers = Array.from({ length: WRITERS }, (_, writer) => write(client, writer, done, stop.signal));
  await eventually('the writers have begun', () => done.length > HEAD_START);
  acknowledged = [...done];
  const { code, stderr } = await cloud.skerry([
    'backup',
    file,
    '--passphrase-file',
    passphraseFile,
    '--data-dir',
    cloud.dir,
  ]);
  const during = done.length - acknowledged.length;
  stop.abort();
  await Promise.all(writers);
  assert.equal(code, 0, stderr);
  assert.ok(during > WRITERS, `only ${during} writes went on during the backup`);
  assert.equal(statSync(file).mode & 0o077, 0, 'a backup is for its owner only');
  assert.ok(!readFileSync(file).includes('beneath the third stone'), 'Secrets are sealed in it');
  assert.ok(!readFileSync(file).includes('PRIVATE KEY'), 'keys are under the passphrase');
});

test('without a passphrase, or with a short one, no backup is begun', async () => {
  const short = join(work, 'short');
  writeFileSync(short, 'short\n');
  const to = join(work, 'none.backup');
  const attempt = (...args: readonly string[]) => cloud.skerry(['backup', to, '--data-dir', cloud.dir, ...args]);
  await checkRefused(() => attempt(), /passphrase is needed; give --passphrase-file FILE/, to);
  await checkRefused(() => attempt('--passphrase-file', short), /fewer than 12 characters/, to);
});

test('a restore that cannot succeed says why and leaves nothing behind', async (t) => {
  if (!requireSystem(t, 'bubblewrap')) return;
  const to = join(work, 'never');
  const wrong = join(work, 'wrong');
  writeFileSync(wrong, 'a rock and a soft place\n');
  const truncated = join(work, 'truncated.backup');
  await copyFile(file, truncated);
  truncateSync(truncated, statSync(file).size - 1000);
  const damaged = join(work, 'damaged.backup');
  const bytes = readFileSync(file);
  bytes[Math.floor(bytes.length / 2)] = (bytes[Math.floor(bytes.length / 2)] ?? 0) ^ 1;
  writeFileSync(damaged, bytes);
  const given = ['--passphrase-file', passphraseFile];
  await checkRefused(
    () => restore(file, to, '--passphrase-file', wrong),
    /the passphrase does not open .*cloud\.backup/,
    to,
  );
  await checkRefused(() => restore(file, to), /under a passphrase; give --passphrase-file FILE/, to);
  await checkRefused(
    () => restore(file, to, '--passphrase-file', join(work, 'missing')),
    /passphrase file .*missing cannot be read/,
    to,
  );
  await checkRefused(
    () => restore(truncated, to, ...given),
    /truncated\.backup is not a whole backup: it has \d+ of \d+ bytes/,
    to,
  );
  await checkRefused(
    () => restore(join(work, 'missing.backup'), to, ...given),
    /missing\.backup is not a whole backup/,
    to,
  );
  const { code, stderr } = await restore(damaged, to, ...given);
  assert.notEqual(code, 0);
  assert.match(stderr, /damaged\.backup is not a whole backup: its store\.db is damaged/);
  assert.deepEqual(readdirSync(join(to, 'cloud', 'pki')), [], 'no key was written');
  assert.ok(!existsSync(join(to, 'cloud', 'store.db')));
  const { code: again, stderr: why } = await restore(file, to, ...given);
  assert.equal(again, 0, why);
});

test('it comes back elsewhere, and nothing that is there is written over', async (t) => {
  if (!requireSystem(t, 'bubblewrap')) return;
  const { code, stdout, stderr } = await restore(file, elsewhere, '--passphrase-file', passphraseFile);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /objects, CA and keys/);
  await checkRefused(
    () => restore(file, elsewhere, '--passphrase-file', passphraseFile),
    /already holds a cloud; restore into an empty --data-dir/,
    elsewhere,
  );
});

test('the restored cloud takes over at the same address: nodes reconnect, and no pod was restarted', async (t) => {
  if (!requireSystem(t, 'bubblewrap')) return;
  await runEach('later');
  podsBefore = await containers();
  assert.equal(podsBefore.length, 2 * grounds.length);
  const ports = [cloud.server, cloud.linkAddress].map((address) => Number(address.split(':').at(-1)));
  await cloud[Symbol.asyncDispose]();
  cloud = await TestCloud.startAt({ dir: elsewhere }, [ports[0] ?? 0, ports[1] ?? 0]);
  for (const { runtime } of grounds)
    await eventually('the cloud reaches the pods', () =>
      cloud.kubectl(['logs', `deployment/web-${runtime.name}`, '--tail=1']),
    );
  await eventually('its picture is that of the node', async () => {
    assert.deepEqual(await containers(), podsBefore);
    return true;
  });
  await eventually('what came after the backup is gone at the node too', async () => {
    return (await edge.kubectl(['get', 'pods', '-l', 'prefix=later', '-o', 'name'])) === '';
  });
});

test('everything that was acknowledged is there, of each writer without a gap, and Secrets are readable', async (t) => {
  if (!requireSystem(t, 'bubblewrap')) return;
  using client = await clientOf(cloud);
  const { items } = await client.list(CONFIG_MAPS, { namespace: 'load' });
  const present = new Set(items.map(({ metadata }) => metadata.name ?? ''));
  assert.deepEqual(
    acknowledged.filter((name) => !present.has(name)),
    [],
    'acknowledged before the backup and lost',
  );
  for (let writer = 0; writer < WRITERS; writer++) {
    const own = [...present].filter((name) => name.startsWith(`w${writer}-`)).toSorted();
    assert.deepEqual(
      own,
      own.map((_, index) => `w${writer}-${String(index).padStart(6, '0')}`),
      'one instant: a write is there only with all before it',
    );
  }
  const secret = await cloud.kubectl(['get', 'secret', 'harbour', '-o', 'jsonpath={.data.key}']);
  assert.equal(Buffer.from(secret, 'base64').toString(), 'beneath the third stone');
});

test('work goes on: new pods run, and old resource versions are told to list anew', async (t) => {
  if (!requireSystem(t, 'bubblewrap')) return;
  await runEach('newer');
  const { stdout, stderr } = await cloud.tryKubectl([
    'get',
    '--raw',
    '/api/v1/configmaps?watch=true&timeoutSeconds=5&resourceVersion=5',
  ]);
  assert.match(stdout + stderr, /410|too old/, 'a watch from before would miss what was lost');
});
