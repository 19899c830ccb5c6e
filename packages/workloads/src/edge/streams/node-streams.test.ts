import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { isStatus } from '@skerry/api';
import { systemClock } from '@skerry/base';
import { Channel, type NodeStreamHandler, type NodeStreamRequest, streamPair } from '@skerry/kube/streaming';
import { eventually } from '@skerry/testkit/processes';
import type { Pod } from '../pod/types.ts';
import { hasBubblewrap, NODE, type ScratchNode, scratchNode } from '../testing/scratch-node.ts';
import { createNodeStreamHandler } from './handler.ts';

const skip = hasBubblewrap ? false : 'bubblewrap is missing: apt-get install bubblewrap';
const at = { namespace: 'default', pod: 'talker', container: 'main' };

let node: ScratchNode;
let handler: NodeStreamHandler;
before(async () => {
  node = await scratchNode({ logMaxBytes: 400, logMaxFiles: 3 });
  const { runtimes, controller, directory } = node;
  handler = createNodeStreamHandler({
    nodeName: NODE,
    pods: controller.pods,
    runtimes,
    clock: systemClock,
    directory,
  });
  await node.run('talker', { command: ['sh', '-c', 'echo one; echo two >&2; exec sleep 1000'] });
  await node.until('talker', isReady);
});
after(() => node[Symbol.asyncDispose]());

const isReady = ({ status }: Pod) => status?.containerStatuses?.[0]?.ready === true;

/** Asks the node, sends `input`, and collects everything it answers. */
async function ask(request: NodeStreamRequest, input: readonly Uint8Array[] = []): Promise<Buffer[]> {
  const { opener, answerer } = streamPair();
  const done = handler(request, answerer, new AbortController().signal);
  const messages: Buffer[] = [];
  const reading = (async () => {
    for await (const message of opener.incoming) messages.push(Buffer.from(message));
  })();
  for (const message of input) await opener.send(message);
  await done;
  await reading;
  return messages;
}

async function textOf(request: NodeStreamRequest, input: readonly Uint8Array[] = []): Promise<string> {
  return Buffer.concat(await ask(request, input)).toString('utf8');
}

async function channelsOf(
  request: NodeStreamRequest,
  input: readonly Uint8Array[] = [],
): Promise<Record<number, string>> {
  const texts: Record<number, string> = {};
  for (const message of await ask(request, input)) {
    const channel = message[0] ?? -1;
    texts[channel] = (texts[channel] ?? '') + message.subarray(1).toString('utf8');
  }
  return texts;
}

const message = (channel: number, text: string) => Buffer.concat([Buffer.from([channel]), Buffer.from(text)]);
const exec = (
  command: string[],
  options: { pod?: string; stdin?: boolean; tty?: boolean } = {},
): NodeStreamRequest => ({
  kind: 'exec',
  ...at,
  pod: options.pod ?? at.pod,
  command,
  stdin: options.stdin ?? false,
  stdout: true,
  stderr: true,
  tty: options.tty ?? false,
});

test('a log is told whole, by its last lines, with times, and cut at a number of bytes', { skip }, async () => {
  const whole = () => textOf({ kind: 'log', ...at });
  while ((await whole()).length < 8) await systemClock.sleep(10);
  assert.deepEqual((await whole()).split('\n').sort(), ['', 'one', 'two']);
  assert.match(await textOf({ kind: 'log', ...at, tailLines: 1 }), /^(one|two)\n$/);
  assert.equal(await textOf({ kind: 'log', ...at, tailLines: 0 }), '');
  assert.match(
    await textOf({ kind: 'log', ...at, timestamps: true, tailLines: 1 }),
    /^\d{4}-\d\d-\d\dT[\d:.]+Z (one|two)\n$/,
  );
  assert.equal((await textOf({ kind: 'log', ...at, limitBytes: 5 })).length, 5);
  assert.equal(await textOf({ kind: 'log', ...at, sinceTime: '2100-01-01T00:00:00Z' }), '');
});

test('following a log goes across rotation without losing a line, and ends with the container', { skip }, async () => {
  const script =
    'until test -e /gate/open; do sleep 0.02; done; for i in $(seq 1 60); do echo line-$i; sleep 0.03; done';
  const container = { command: ['sh', '-c', script], volumeMounts: [{ name: 'gate', mountPath: '/gate' }] };
  await node.run('rotating', container, { restartPolicy: 'Never', volumes: [{ name: 'gate', emptyDir: {} }] });
  await node.until('rotating', ({ status }) => status?.phase === 'Running');
  const following = textOf({ kind: 'log', ...at, pod: 'rotating', follow: true });
  await ask(exec(['touch', '/gate/open'], { pod: 'rotating' }));
  const numbers = (await following).match(/line-\d+/g)?.map((line) => Number(line.slice(5)));
  assert.deepEqual(
    numbers,
    Array.from({ length: 60 }, (_, index) => 1 + index),
  );
});

test('the log of the attempt before is there after a restart', { skip }, async () => {
  await node.run('again', { command: ['sh', '-c', 'echo run; exit 1'] });
  await node.until('again', ({ status }) => status?.containerStatuses?.[0]?.restartCount === 1);
  assert.equal(await textOf({ kind: 'log', ...at, pod: 'again', previous: true }), 'run\n');
});

test('exec gives both outputs and the exit code as a Status', { skip }, async () => {
  const got = await channelsOf(exec(['sh', '-c', 'echo out; echo err >&2; exit 3']));
  assert.equal(got[Channel.stdout], 'out\n');
  assert.equal(got[Channel.stderr], 'err\n');
  assert.deepEqual(JSON.parse(got[Channel.error] ?? ''), {
    metadata: {},
    status: 'Failure',
    message: 'command terminated with non-zero exit code: exit status 3',
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: '3' }] },
  });
});

test('exec reads its input until it is closed', { skip }, async () => {
  const close = Buffer.from([Channel.close, Channel.stdin]);
  const big = 'x'.repeat(30_000);
  const input = [message(Channel.stdin, big), message(Channel.stdin, big), close];
  const got = await channelsOf(exec(['wc', '-c'], { stdin: true }), input);
  assert.equal(got[Channel.stdout]?.trim(), '60000');
  assert.deepEqual(JSON.parse(got[Channel.error] ?? ''), { metadata: {}, status: 'Success' });
});

test('exec with a terminal has the size it was told', { skip }, async () => {
  const input = [message(Channel.resize, '{"Width":101,"Height":33}')];
  const got = await channelsOf(exec(['sh', '-c', 'sleep 0.3; stty size'], { tty: true }), input);
  assert.equal(got[Channel.stdout], '33 101\r\n');
});

test('much output arrives whole', { skip }, async () => {
  const got = await channelsOf(exec(['head', '-c', '3000000', '/dev/zero']));
  assert.equal(got[Channel.stdout]?.length, 3_000_000);
});

test('a client that leaves takes its command with it', { skip }, async () => {
  const { opener, answerer } = streamPair();
  const done = handler(exec(['sleep', '4242']), answerer, new AbortController().signal);
  const count = exec(['sh', '-c', 'ps -eo args | grep -cx "sleep 4242" || true']);
  const still = async () => (await channelsOf(count))[Channel.stdout]?.trim();
  await eventually('the command runs', async () => (await still()) === '1');
  opener.abort('gone');
  await done.catch(() => {});
  await eventually('the command is gone', async () => (await still()) === '0');
});

test('attach shows what comes after it', { skip }, async () => {
  await node.run(
    'attached',
    { command: ['sh', '-c', 'read a; echo got $a'], stdin: true, stdinOnce: true },
    { restartPolicy: 'Never' },
  );
  await node.until('attached', ({ status }) => status?.phase === 'Running');
  const request: NodeStreamRequest = {
    kind: 'attach',
    ...at,
    pod: 'attached',
    command: [],
    stdin: true,
    stdout: true,
    stderr: true,
    tty: false,
  };
  const got = await channelsOf(request, [message(Channel.stdin, 'word\n')]);
  assert.equal(got[Channel.stdout], 'got word\n');
});

test('a port of the pod is reached', { skip }, async () => {
  const server = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const request = Buffer.from('GET / HTTP/1.0\r\n\r\n');
  assert.match(await textOf({ kind: 'portforward', namespace: 'default', pod: 'talker', port }, [request]), /hello$/);
  server.close();
});

test('the node tells its metrics, its summary and its pods', { skip }, async () => {
  const metrics = await textOf({ kind: 'get', path: '/metrics' });
  assert.match(
    metrics,
    /^container_memory_working_set_bytes\{namespace="default",pod="talker",container="main"\} [1-9]/m,
  );
  const summary = JSON.parse(await textOf({ kind: 'get', path: '/stats/summary' }));
  assert.equal(summary.node.nodeName, NODE);
  const pods = JSON.parse(await textOf({ kind: 'get', path: '/pods' }));
  assert.ok(pods.items.some((pod: Pod) => pod.metadata.name === 'talker'));
});

test('what is not there is refused with its Status', async () => {
  await assert.rejects(ask({ kind: 'log', ...at, pod: 'nobody' }), (error) => isStatus(error, 'NotFound'));
  await assert.rejects(ask({ kind: 'log', ...at, container: 'nobody' }), (error) => isStatus(error, 'NotFound'));
  await assert.rejects(ask({ kind: 'log', ...at, previous: true }), (error) => isStatus(error, 'BadRequest'));
  await assert.rejects(ask({ kind: 'get', path: '/secret' }), (error) => isStatus(error, 'NotFound'));
});
