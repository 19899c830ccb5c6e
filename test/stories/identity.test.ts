/** Story 6: copied, revoked, long away with a wrong clock: who a node is, is decided by its certificate and one live session. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import type { KubeObject } from '@skerry/api';
import type { Pod } from '@skerry/api/types';
import {
  CHECKOUT,
  COUNTING,
  edgeOf,
  eventually,
  GROUNDS,
  type Ground,
  openGrounds,
  pod,
  requireSystem,
  runToEnd,
  skipWithout,
  TestCloud,
  TestEdge,
} from '@skerry/testkit/processes';

const DAY_MS = 86_400_000;
/** Shorter than the 15 s of silence after which a session ends by itself, and much longer than a busy machine takes. */
const PROMPT_MS = 10_000;
let cloud: TestCloud;
let edge: TestEdge;
/** The node has pods of each runtime. */
let grounds: readonly Ground[] = [];
/** The cloud's ports stay, also when it is started in another time. */
let ports: readonly [number, number];

before(async () => {
  cloud = await TestCloud.start();
  ports = [portOf(cloud.server), portOf(cloud.linkAddress)];
  grounds = await openGrounds();
  edge = await TestEdge.join(cloud, { name: 'edge-1', ...edgeOf(grounds) });
  await cloud.kubectl(['wait', '--for=condition=Ready', 'node/edge-1', '--timeout=30s']);
});
after(async () => {
  await edge?.[Symbol.asyncDispose]();
  await Promise.all(grounds.map((ground) => ground[Symbol.asyncDispose]()));
  await cloud?.[Symbol.asyncDispose]();
});

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}

interface LogLine {
  readonly time: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** The lines of a process's log with this message, oldest first. */
function logged(file: string, msg: string): readonly LogLine[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.flatMap((line) => (line.includes(JSON.stringify(msg)) ? [JSON.parse(line) as LogLine] : []));
}

const cloudLog = () => join(cloud.dir, 'cloud.log');
const edgeLog = (of = edge) => join(of.dir, 'edge.log');

/** The cloud reaches into the node. */
async function isLinked(): Promise<boolean> {
  const { code } = await cloud.tryKubectl(['logs', 'steady-process', '--tail=1']);
  return code === 0;
}

interface IdentityStatus {
  readonly sessionNumber?: number;
  readonly copiedAt?: string;
  readonly expirationTimestamp?: string;
}

async function identityOf(node: string): Promise<IdentityStatus> {
  const { status } = await cloud.get<KubeObject & { status?: IdentityStatus }>(['nodeidentity', node]);
  return status ?? {};
}

/** The containers of the steady pods, one of each runtime. */
async function containers(): Promise<readonly string[]> {
  const { items } = await cloud.get<{ items: Pod[] }>(['pods']);
  return items.map(({ status }) => status?.containerStatuses?.[0]?.containerID ?? '').toSorted();
}

/** Joins as an operator does, in an own directory, and expects a refusal: one sentence, nothing else, and a failure. */
async function refusal(args: readonly string[]): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'skerry-refused-'));
  try {
    const { code, stderr } = await runToEnd(join(CHECKOUT, 'bin', 'skerry'), ['edge', '--data-dir', dir, ...args], {
      env: { SKERRY_KEY_DIR: join(dir, 'keys') },
    });
    assert.notEqual(code, 0);
    assert.equal(stderr.trimEnd().split('\n').length, 1, stderr);
    return stderr;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

test('a token that is used, expired, another node’s or another cloud’s is refused in one sentence', async () => {
  const used = await cloud.createToken('edge-9');
  const taken = await TestEdge.start({ name: 'edge-9', args: ['--token', used] });
  assert.match(await refusal(['--token', used]), /edge-9.*was used before.*skerry token create --node edge-9/);
  await taken[Symbol.asyncDispose]();
  const short = await cloud.createToken('edge-8', '--ttl', '1ms');
  assert.match(await refusal(['--token', short]), /edge-8.*has expired.*skerry token create --node edge-8/);
  const other = await cloud.createToken('edge-7');
  assert.match(await refusal(['--token', other, '--node', 'edge-6']), /for edge-7, not for edge-6/);
  assert.match(await refusal(['--token', `${other.slice(0, -3)}AAA`]), /token is malformed/);
  assert.match(await refusal([]), /skerry token create --node NAME/);
  assert.match(await refusal(['--token', other, '--join', '127.0.0.1:9']), /no cloud answered at 127\.0\.0\.1:9/);
  await cloud.kubectl(['delete', 'node', 'edge-9', '--wait=false']);
});

for (const { name, needs } of GROUNDS) {
  test(`a pod runs with ${name}`, { skip: skipWithout(...needs) }, async () => {
    const runtime = grounds.find((ground) => ground.runtime.name === name)?.runtime;
    assert.ok(runtime !== undefined);
    const steady = `steady-${name}`;
    await cloud.apply(pod(runtime, { name: steady, script: COUNTING, spec: { nodeName: 'edge-1' } }));
    await cloud.kubectl(['wait', '--for=condition=Ready', `pod/${steady}`, '--timeout=60s']);
  });
}

test('the true node is let in at once after it was killed', async (t) => {
  if (!requireSystem(t, 'bubblewrap')) return;
  const before = await containers();
  assert.equal(before.length, grounds.length);
  await edge.process.kill9();
  await edge.process.start();
  const started = Date.parse(logged(edgeLog(), 'serving').at(-1)?.time ?? '');
  await eventually('the cloud reaches it', () => isLinked());
  const linked = Date.parse(logged(edgeLog(), 'linked to the cloud').at(-1)?.time ?? '');
  assert.ok(linked - started < PROMPT_MS, `linked ${linked - started} ms after its start`);
  assert.deepEqual(await containers(), before);
});

test('a copy of a node is refused and flagged, and the true one goes on', async () => {
  const sessions = logged(cloudLog(), 'session ended').length;
  const copy = await copyOf(edge);
  try {
    await copy.process.start();
    const refused = await eventually('the copy is refused', () => logged(edgeLog(copy), 'link refused')[0]);
    assert.equal(refused['refusal'], 'copy');
    await eventually('the identity is flagged', async () => (await identityOf('edge-1')).copiedAt);
    await eventually('the event is there', async () =>
      /IdentityCopied/.test(
        await cloud.kubectl(['get', 'events', '-A', '--field-selector', 'involvedObject.name=edge-1']),
      ),
    );
    assert.equal(logged(cloudLog(), 'session ended').length, sessions, 'the true session went on');
    assert.equal((await identityOf('edge-1')).sessionNumber, 2, 'and nobody took its place');
  } finally {
    await copy[Symbol.asyncDispose]();
  }
});

interface Watching {
  output(): string;
  /** The time at which it ended. */
  readonly ended: Promise<number>;
}

/** With the node's own certificate, straight at the API. */
function watchAsNode(): Watching {
  const identity = JSON.parse(readFileSync(join(edge.dir, 'edge', 'edge-1', 'identity', 'identity.json'), 'utf8')) as {
    readonly caPem: string;
    readonly certificatePem: string;
    readonly keyPem: string;
  };
  const url = `${cloud.server}/api/v1/nodes?watch=true&fieldSelector=metadata.name%3Dedge-1`;
  let output = '';
  const ended = new Promise<number>((resolve) => {
    const { caPem: ca, certificatePem: cert, keyPem: key } = identity;
    const request = get(url, { ca, cert, key }, (response) => {
      response.on('data', (chunk: Buffer) => (output += chunk.toString()));
      response.on('error', () => {});
      response.on('close', () => resolve(Date.now()));
    });
    request.on('error', () => resolve(Date.now()));
  });
  return { output: () => output, ended };
}

/** The node's directory as a thief takes it: without what only means something on its machine. */
async function copyOf(node: TestEdge): Promise<TestEdge> {
  const dir = mkdtempSync(join(tmpdir(), 'skerry-copy-'));
  const isTaken = (path: string) =>
    !/^(?:supervisor|pods|logs|runtime|.*\.sock|.*\.lock|edge\.log)$/.test(basename(path));
  process.kill(node.process.pid, 'SIGSTOP');
  try {
    cpSync(node.dir, dir, { recursive: true, filter: isTaken });
    cpSync(`${node.dir}-keys`, `${dir}-keys`, { recursive: true });
  } finally {
    process.kill(node.process.pid, 'SIGCONT');
  }
  const [key = ''] = (await runToEnd('ls', [`${dir}-keys`])).stdout.split('\n');
  return new TestEdge({ name: node.name, dir, ownsDir: true, args: ['--key-file', join(`${dir}-keys`, key)] });
}

test('a revoked node is out at once, is refused after, and comes back with a new token', async (t) => {
  if (!requireSystem(t, 'bubblewrap')) return;
  const running = await containers();
  const before = logged(cloudLog(), 'session ended').length;
  const watching = watchAsNode();
  await eventually('the node watches itself in the API', () => watching.output().includes('edge-1'));
  const { code, stderr } = await cloud.skerry(['node', 'revoke', 'edge-1', '--data-dir', cloud.dir]);
  const asked = Date.now();
  assert.equal(code, 0, stderr);
  const ended = await eventually('the session is closed', () => logged(cloudLog(), 'session ended')[before]);
  assert.ok(Date.parse(ended.time) - asked < PROMPT_MS, `out after ${Date.parse(ended.time) - asked} ms`);
  assert.ok((await watching.ended) - asked < PROMPT_MS, 'its watch has ended too');
  const refused = await eventually('the node hears why', () => logged(edgeLog(), 'link refused').at(-1));
  assert.equal(refused['refusal'], 'revoked');
  const { stderr: reason } = await cloud.tryKubectl(['logs', 'steady-process', '--tail=1']);
  assert.match(reason, /not connected/);
  await edge.process.stop();
  await edge.process.start();
  await eventually('it is refused at its next start too', () => logged(edgeLog(), 'link refused').length > 1);
  const phases = await edge.kubectl(['get', 'pods', '-o', 'jsonpath={.items[*].status.phase}']);
  assert.deepEqual(
    phases.split(' '),
    grounds.map(() => 'Running'),
  );

  await edge.process.stop();
  const token = await cloud.createToken('edge-1');
  await edge.process.start({ SKERRY_TOKEN: token });
  await eventually('it is back', () => isLinked());
  assert.deepEqual(await containers(), running, 'no pod was ever restarted');
});

test('a node that was away for thirty days, with its clock a year wrong, renews and is back by itself', async (t) => {
  if (!requireSystem(t, 'bubblewrap', 'faketime')) return;
  const running = await containers();
  const { expirationTimestamp: old = '' } = await identityOf('edge-1');
  await edge.process.stop();
  await cloud.process.stop();
  cloud = await inTime('+30d', (env) => TestCloud.startAt({ dir: cloud.dir, ownsDir: true, env }, ports));
  const there = { name: 'edge-1', dir: edge.dir, ownsDir: true, ...edgeOf(grounds) };
  edge = await inTime('-365d', (env) => TestEdge.start({ ...there, env }));
  await eventually('the cloud reaches it', () => isLinked());
  const { expirationTimestamp: renewed = '' } = await identityOf('edge-1');
  assert.ok(Date.parse(renewed) - Date.parse(old) > 29 * DAY_MS, `${old} became ${renewed}`);
  assert.deepEqual(await containers(), running, 'no pod was ever restarted');
});

test('a certificate that ends while the node believes it good is renewed as soon as the cloud refuses it', async (t) => {
  if (!requireSystem(t, 'bubblewrap', 'faketime')) return;
  const { expirationTimestamp: old = '' } = await identityOf('edge-1');
  await cloud.process.stop();
  cloud = await inTime('+60d', (env) => TestCloud.startAt({ dir: cloud.dir, ownsDir: true, env }, ports));
  await eventually('the cloud reaches it', () => isLinked());
  const { expirationTimestamp: renewed = '' } = await identityOf('edge-1');
  assert.ok(Date.parse(renewed) - Date.parse(old) > 29 * DAY_MS, `${old} became ${renewed}`);
  assert.equal(logged(edgeLog(), 'link refused').at(-1)?.['refusal'], 'certificate');
});

/**
 * Only what time it is changes, not how fast it goes by. The library by itself: its program stays between us and the process.
 * The linker puts the machine's own folder for $LIB.
 */
function inTime<T>(offset: string, start: (env: Readonly<Record<string, string>>) => Promise<T>): Promise<T> {
  return start({
    LD_PRELOAD: '/usr/$LIB/faketime/libfaketime.so.1',
    FAKETIME: offset,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    NO_FAKE_STAT: '1',
  });
}
