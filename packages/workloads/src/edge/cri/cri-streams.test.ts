import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Channel } from '@skerry/kube/streaming';
import { CONTAINERD, skipWithout } from '@skerry/testkit/processes';
import { ContainerNode, isReady, SLEEP, shell } from '../testing/container-node.ts';
import type { ScratchNode } from '../testing/scratch-node.ts';

const skip = skipWithout(...CONTAINERD.needs);

let site: ContainerNode;
let node: ScratchNode;
before(async () => {
  if (skip !== false) return;
  site = await ContainerNode.start();
  node = site.node;
});
after(() => site?.[Symbol.asyncDispose]());

function story(name: string, tell: () => Promise<void>): void {
  test(name, { skip }, tell);
}

const on = (messages: readonly Buffer[], channel: number) =>
  Buffer.concat(messages.filter((one) => one[0] === channel).map((one) => one.subarray(1))).toString();

story('exec carries input, output, both streams and the exit code', async () => {
  await node.run('talker', shell(SLEEP));
  await node.until('talker', isReady);
  const at = { namespace: 'default', pod: 'talker', container: 'main', stdout: true, stderr: true } as const;
  const command = ['sh', '-c', 'cat; echo bad >&2; exit 7'];
  const said = await site.ask({ kind: 'exec', ...at, command, stdin: true, tty: false }, [
    Buffer.concat([Buffer.from([Channel.stdin]), Buffer.from('through')]),
    Buffer.from([Channel.close, Channel.stdin]),
  ]);
  assert.equal(on(said, Channel.stdout), 'through');
  assert.equal(on(said, Channel.stderr), 'bad\n');
  assert.match(on(said, Channel.error), /"ExitCode","message":"7"/);
});

story('a terminal has the size it is given', async () => {
  const at = { namespace: 'default', pod: 'talker', container: 'main', stdout: true, stderr: false } as const;
  const size = Buffer.from(JSON.stringify({ Width: 91, Height: 33 }));
  const command = ['sh', '-c', 'until stty size | grep "33 91"; do sleep 0.05; done'];
  const said = await site.ask({ kind: 'exec', ...at, command, stdin: true, tty: true }, [
    Buffer.concat([Buffer.from([Channel.resize]), size]),
  ]);
  assert.match(on(said, Channel.stdout), /33 91/);
});

story('attach shows what a container says', async () => {
  await node.run(
    'reader',
    { ...shell('read word; echo "$word, indeed"'), stdin: true, stdinOnce: true },
    { restartPolicy: 'Never' },
  );
  await node.until('reader', isReady);
  const request = {
    kind: 'attach',
    namespace: 'default',
    pod: 'reader',
    container: 'main',
    command: [],
    stdin: true,
    stdout: true,
    stderr: true,
    tty: false,
  } as const;
  const said = await site.ask(request, [Buffer.concat([Buffer.from([Channel.stdin]), Buffer.from('well\n')])]);
  assert.equal(on(said, Channel.stdout), 'well, indeed\n');
});

story('port-forward reaches what listens inside the pod alone', async () => {
  await node.run('server', {
    ...shell('mkdir /www; echo inside > /www/index.html; exec httpd -f -p 127.0.0.1:8080 -h /www'),
    readinessProbe: { exec: { command: ['wget', '-q', '-O-', 'http://127.0.0.1:8080/'] }, periodSeconds: 1 },
  });
  await node.until('server', isReady);
  const answer = await site.ask({ kind: 'portforward', namespace: 'default', pod: 'server', port: 8080 }, [
    Buffer.from('GET / HTTP/1.0\r\n\r\n'),
  ]);
  assert.match(Buffer.concat(answer).toString(), /200 OK[\s\S]*inside/);
  await node.delete('server', 0);
});

story('much output arrives whole', async () => {
  const at = { namespace: 'default', pod: 'talker', container: 'main', stdout: true, stderr: true } as const;
  const said = await site.ask({
    kind: 'exec',
    ...at,
    command: ['head', '-c', '3000000', '/dev/zero'],
    stdin: false,
    tty: false,
  });
  assert.equal(on(said, Channel.stdout).length, 3_000_000);
});

story('a port that nobody listens on is said to be so', async () => {
  const asked = site.ask({ kind: 'portforward', namespace: 'default', pod: 'talker', port: 9 });
  await assert.rejects(asked, /port 9 of the pod is not reached/);
});

story('usage is measured per container', async () => {
  const pod = await node.get('talker');
  const id = pod?.status?.containerStatuses?.[0]?.containerID?.split('//')[1];
  const usage = await node.containers?.usage();
  const own = usage?.find((one) => one.id === id);
  assert.ok((own?.workingSetBytes ?? 0) > 0);
});
