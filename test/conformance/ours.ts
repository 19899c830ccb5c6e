/** Clouds of ours to be tried: one whose history is forgotten, and one with nodes. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CHECKOUT, type CommandResult, freePort, runToEnd, TestCloud, TestEdge } from '@skerry/testkit/processes';

/** A cloud out of a backup: of what was before it, no version is known any more, as in a cluster of some days. */
export async function startAged(resources: AsyncDisposableStack): Promise<string> {
  const work = mkdtempSync(join(tmpdir(), 'skerry-conformance-'));
  resources.defer(() => rm(work, { recursive: true, force: true }));
  const [file, passphrase, dir] = ['backup', 'passphrase', 'cloud'].map((name) => join(work, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(passphrase, 'a rock and a hard place\n');
  {
    await using young = await TestCloud.start();
    demand(await young.skerry(['backup', file, '--passphrase-file', passphrase, '--data-dir', young.dir]));
  }
  const restore = ['restore', file, '--data-dir', dir, '--passphrase-file', passphrase];
  demand(await runToEnd(join(CHECKOUT, 'bin', 'skerry'), restore, { env: { SKERRY_KEY_DIR: `${dir}-keys` } }));
  const cloud = resources.use(await TestCloud.startAt({ dir }, [await freePort(), await freePort()]));
  return cloud.kubeconfig;
}

function demand({ code, stderr }: CommandResult): void {
  if (code !== 0) throw new Error(stderr);
}

export async function startWithNodes(resources: AsyncDisposableStack, nodes: readonly string[]): Promise<string> {
  const cloud = resources.use(await TestCloud.start());
  for (const name of nodes) {
    resources.use(await TestEdge.join(cloud, { name }));
    await cloud.kubectl(['wait', '--for=condition=Ready', `node/${name}`, '--timeout=60s']);
  }
  return cloud.kubeconfig;
}
