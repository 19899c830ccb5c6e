/** What Kubernetes demands of a node, tried on one real node with both runtimes; the requirements are in the files beside. */
import { after, before, describe, test } from 'node:test';
import { createHttpClient, type HttpClient, loadKubeconfig } from '@skerry/kube/client';
import {
  CONTAINERD,
  PROCESS,
  type Runtime,
  skipWithout,
  TestCloud,
  TestContainerd,
  TestEdge,
} from '@skerry/testkit/processes';
import { TestClient } from '../security/client.ts';
import { ADMISSION } from './admission.ts';
import { CONTAINERS } from './containers.ts';
import { DIRECTORIES } from './directories.ts';
import { GRPC_PROBES } from './grpc-probes.ts';
import { Lab, type Requirement } from './lab.ts';
import { LIFECYCLE } from './lifecycle.ts';
import { OBJECT_VOLUMES } from './object-volumes.ts';
import { OWN_VOLUMES } from './own-volumes.ts';
import { PODS } from './pods.ts';
import { PROBES } from './probes.ts';
import { SECURITY } from './security.ts';
import { STREAMS } from './streams.ts';
import { SURROUNDINGS } from './surroundings.ts';

const NODE = 'edge-1';
const AREAS: Readonly<Record<string, readonly Requirement[]>> = {
  pods: PODS,
  containers: CONTAINERS,
  probes: [...PROBES, ...GRPC_PROBES],
  lifecycle: LIFECYCLE,
  security: SECURITY,
  surroundings: SURROUNDINGS,
  streams: STREAMS,
  admission: ADMISSION,
  'volumes of objects': OBJECT_VOLUMES,
  'volumes of the pod itself': OWN_VOLUMES,
  directories: DIRECTORIES,
};
/** Each keeps the processor busy only while its pod starts. */
const AT_ONCE = 12;

const skip = skipWithout(...CONTAINERD.needs, ...PROCESS.needs);

let containerd: TestContainerd;
let cloud: TestCloud;
let edge: TestEdge;
let client: HttpClient;
let http: TestClient;
let count = 0;

before(async () => {
  if (skip !== false) return;
  [containerd, cloud] = await Promise.all([TestContainerd.start(), TestCloud.start()]);
  const args = ['--join', cloud.linkAddress];
  edge = await TestEdge.join(cloud, { name: NODE, args, containerdSocket: containerd.socket });
  client = createHttpClient({ connection: (await loadKubeconfig(cloud.kubeconfig)).connection });
  http = new TestClient(cloud.kubeconfig);
});
after(async () => {
  client?.close();
  http?.[Symbol.dispose]();
  await edge?.[Symbol.asyncDispose]();
  await cloud?.[Symbol.asyncDispose]();
  await containerd?.[Symbol.asyncDispose]();
});

async function labFor(runtime: Runtime): Promise<Lab> {
  const namespace = `case-${++count}`;
  const metadata = { name: namespace };
  await client.create(
    { group: '', version: 'v1', resource: 'namespaces' },
    { apiVersion: 'v1', kind: 'Namespace', metadata },
  );
  return new Lab({ namespace, node: NODE, runtime, client, http });
}

async function tryOut(check: Requirement['check'], runtime: Runtime): Promise<void> {
  const lab = await labFor(runtime);
  try {
    await check(lab);
  } finally {
    await lab.clear();
  }
}

// One queue for all, so that the slow ones of an area do not hold up the next.
describe('a node of ours', { concurrency: AT_ONCE, skip }, () => {
  for (const [area, requirements] of Object.entries(AREAS)) {
    for (const runtime of [CONTAINERD, PROCESS]) {
      for (const { states, on, check } of requirements) {
        if (on !== undefined && on !== runtime.name) continue;
        test(`${area}: ${states} (${runtime.name})`, () => tryOut(check, runtime));
      }
    }
  }
});
