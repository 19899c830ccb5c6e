/** Static pods on a real node: processes from files, and what the API shows of them. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually, skipWithout } from '@skerry/testkit/processes';
import type { Pod } from '../pod/types.ts';
import { NODE, type ScratchNode, scratchNode } from '../testing/scratch-node.ts';

const skip = skipWithout('bubblewrap');

class Site {
  readonly node: ScratchNode;
  readonly folder: string;

  constructor(node: ScratchNode, folder: string) {
    this.node = node;
    this.folder = folder;
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.folder, file), text);
  }

  remove(file: string): void {
    rmSync(join(this.folder, file));
  }

  /** The pods that run here, by the name of their container's pod, with their process. */
  async pids(): Promise<ReadonlyMap<string, number | undefined>> {
    const running = (await this.node.runtime.list()).filter(({ exit }) => exit === undefined);
    return new Map(running.map(({ labels, pid }) => [labels.pod, pid]));
  }
}

function story(name: string, tell: (site: Site) => Promise<void>, first: Readonly<Record<string, string>> = {}): void {
  test(name, { skip }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'skerry-static-'));
    for (const [file, text] of Object.entries(first)) writeFileSync(join(folder, file), text);
    try {
      await using node = await scratchNode({ staticPods: folder });
      await tell(new Site(node, folder));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

const yaml = (name: string, script = 'exec sleep 1000') => `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: ${name} } }
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: host
      command: [sh, -c, "${script}"]
`;
const WEB = `web-${NODE}`;
const isReady = ({ status }: Pod) => status?.containerStatuses?.[0]?.ready === true;
const hashOf = ({ metadata }: Pod) => metadata.annotations?.['kubernetes.io/config.mirror'];

story(
  'a manifest runs, and its mirror shows how it fares',
  async ({ node }) => {
    const mirror = await node.until(WEB, isReady);
    assert.equal(mirror.metadata.annotations?.['kubernetes.io/config.source'], 'file');
    const [snapshot] = await node.runtime.list();
    assert.equal(snapshot?.labels.uid, hashOf(mirror), 'the pod is what its mirror says');
    assert.notEqual(mirror.metadata.uid, hashOf(mirror));
    const log = join(node.directory, 'logs', `default_${WEB}_${hashOf(mirror)}`, 'main', '0.log');
    await eventually('it speaks', () => readFileSync(log, 'utf8').includes('hello'));
    assert.equal(
      node.controller.pods.find('default', WEB)?.uid,
      hashOf(mirror),
      'its log is found by the mirror’s name',
    );
  },
  { 'web.yaml': yaml('web', 'echo hello; exec sleep 1000') },
);

story(
  'who deletes the mirror gets a new one, and the pod runs on',
  async (site) => {
    const { node } = site;
    const before = await node.until(WEB, isReady);
    const pid = (await site.pids()).get(WEB);
    await node.delete(WEB);
    const after = await node.until(WEB, (pod) => isReady(pod) && pod.metadata.uid !== before.metadata.uid);
    assert.equal(hashOf(after), hashOf(before));
    assert.equal((await site.pids()).get(WEB), pid);
  },
  { 'web.yaml': yaml('web') },
);

story('files come, change and go, and the pods with them', async (site) => {
  const { node } = site;
  site.write('web.json', JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec: SPEC }));
  const first = await node.until(WEB, isReady);
  site.write(
    'web.json',
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web' },
      spec: { ...SPEC, terminationGracePeriodSeconds: 2 },
    }),
  );
  const second = await node.until(WEB, (pod) => isReady(pod) && hashOf(pod) !== hashOf(first));
  await eventually('only the new one runs', async () => {
    const lists = await node.runtime.list();
    return lists.length === 1 && lists[0]?.labels.uid === hashOf(second);
  });
  site.remove('web.json');
  await node.gone(WEB);
  await eventually('nothing runs', async () => (await node.runtime.list()).length === 0);
});

story(
  'an agent that comes back takes it over; one whose file went meanwhile is ended',
  async (site) => {
    const { node } = site;
    const before = await node.until(WEB, isReady);
    await node.until(`gone-${NODE}`, isReady);
    const pid = (await site.pids()).get(WEB);
    await node.restartAgent(async () => site.remove('gone.yaml'));
    await node.gone(`gone-${NODE}`);
    assert.deepEqual(await site.pids(), new Map([[WEB, pid]]));
    assert.deepEqual((await node.until(WEB, isReady)).status, before.status);
  },
  { 'web.yaml': yaml('web'), 'gone.yaml': yaml('gone') },
);

story(
  'a file that is no pod is told of once and hinders no other; a name that is taken stays its owner’s',
  async (site) => {
    const { node } = site;
    await node.until(WEB, isReady);
    const events = async () => {
      const { items } = await node.client.list(
        { group: '', version: 'v1', resource: 'events' },
        { namespace: 'default' },
      );
      return items.filter(({ reason }) => reason === 'InvalidStaticPod').map(({ message }) => String(message));
    };
    const told = await eventually('it is told', async () => {
      const found = await events();
      return found.length === 1 && found;
    });
    assert.match(told[0] ?? '', /broken.yaml: it is not a Pod/);
    await node.run(`taken-${NODE}`, { command: ['sleep', '1000'] });
    const owner = await node.until(`taken-${NODE}`, isReady);
    site.write('taken.yaml', yaml('taken'));
    await eventually('both run', async () => (await node.runtime.list()).length === 3);
    assert.equal((await node.get(`taken-${NODE}`))?.metadata.uid, owner.metadata.uid);
  },
  { 'web.yaml': yaml('web'), 'broken.yaml': 'kind: Nothing', '.hidden.yaml': yaml('hidden') },
);

story('a pod of the API that claims to be from a file is admitted like any other', async ({ node }) => {
  const resources = { requests: { cpu: '9' } };
  const annotations = { 'kubernetes.io/config.source': 'file' };
  await node.run('claims', { command: ['sleep', '1000'], resources }, {}, { annotations });
  const { status } = await node.until('claims', (pod) => pod.status?.phase === 'Failed' || isReady(pod));
  assert.equal(status?.reason, 'OutOfcpu');
});

const SPEC = {
  terminationGracePeriodSeconds: 1,
  containers: [{ name: 'main', image: 'host', command: ['sleep', '1000'] }],
};
