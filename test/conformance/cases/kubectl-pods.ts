/** What people do to pods with kubectl. */
import assert from 'node:assert/strict';
import type { Lab } from '../lab.ts';
import { type Requirement, requirement } from '../requirement.ts';
import { controller, podSpec } from '../workloads.ts';

const KUBECTL = '[sig-cli] Kubectl client';

export const KUBECTL_POD_CASES: readonly Requirement[] = [
  requirement(
    `${KUBECTL} Kubectl describe should check if kubectl describe prints relevant information for rc and pods`,
    'describe shows what matters of a pod, a ReplicationController, a Service, a node and a Namespace',
    describes,
  ),
  requirement(
    `${KUBECTL} Kubectl label should update the label on a resource`,
    'label sets a label and takes it away',
    async (lab) => {
      await lab.of('Pod').create({ metadata: { name: 'pod' }, spec: podSpec(lab) });
      await lab.kubectl(['label', 'pods', 'pod', 'testing-label=testing-label-value']);
      assert.match(await lab.kubectl(['get', 'pod', 'pod', '-L', 'testing-label']), /testing-label-value/);
      await lab.kubectl(['label', 'pods', 'pod', 'testing-label-']);
      assert.doesNotMatch(await lab.kubectl(['get', 'pod', 'pod', '-L', 'testing-label']), /testing-label-value/);
    },
  ),
  requirement(
    `${KUBECTL} Kubectl patch should add annotations for pods in rc`,
    'patch annotates the pods of a ReplicationController',
    async (lab) => {
      await lab.of('ReplicationController').create(controller(lab, 'one', 2));
      const pods = await podsOf(lab, 2);
      for (const name of pods)
        await lab.kubectl(['patch', 'pod', name, '-p', '{"metadata":{"annotations":{"x":"y"}}}']);
      for (const { metadata } of (await lab.of('Pod').list()).items) assert.equal(metadata.annotations?.['x'], 'y');
    },
  ),
  requirement(
    `${KUBECTL} Kubectl replace should update a single-container pod's image`,
    'replace changes the image of a running pod',
    async (lab) => {
      await lab.of('Pod').create({ metadata: { name: 'pod' }, spec: podSpec(lab) });
      await lab.kubectl(['wait', '--for=condition=Ready', 'pod/pod', '--timeout=50s']);
      await lab.eventually('no one else writes meanwhile', async () => {
        const text = await lab.kubectl(['get', 'pod', 'pod', '-o', 'json']);
        const input = text.replaceAll(`"image": "${lab.image}"`, '"image": "busybox:of-the-suite"');
        return (await lab.tryKubectl(['replace', '-f', '-'], { input })).code === 0;
      });
      assert.equal((await lab.of('Pod').get('pod')).spec?.containers[0]?.image, 'busybox:of-the-suite');
    },
  ),
  requirement(
    `${KUBECTL} Kubectl run pod should create a pod from an image when restart is Never`,
    'run makes a pod of an image that is not started again',
    async (lab) => {
      await lab.kubectl(['run', 'pod', '--restart=Never', `--image=${lab.image}`]);
      const { spec } = await lab.of('Pod').get('pod');
      assert.deepEqual([spec?.restartPolicy, spec?.containers[0]?.image], ['Never', lab.image]);
    },
  ),
];

function podsOf(lab: Lab, count: number): Promise<readonly string[]> {
  return lab.eventually('the pods are ready', async () => {
    const { items } = await lab.of('Pod').list();
    const isReady = items.every(({ status }) =>
      status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True'),
    );
    return items.length === count && isReady && items.map(({ metadata }) => metadata.name ?? '');
  });
}

async function describes(lab: Lab): Promise<void> {
  await lab.of('ReplicationController').create(controller(lab, 'one', 1));
  await lab
    .of('Service')
    .create({ metadata: { name: 'one' }, spec: { selector: { app: 'one' }, ports: [{ port: 6379 }] } });
  const [pod = ''] = await podsOf(lab, 1);
  const describe = async (words: readonly string[], patterns: readonly RegExp[]) => {
    const said = await lab.kubectl(['describe', ...words]);
    for (const pattern of patterns) assert.match(said, pattern);
  };
  await describe(
    ['pod', pod],
    [
      /^Name: +one-/m,
      /^Namespace: +conformance-/m,
      /^Node: /m,
      /^Labels: +app=one$/m,
      /^Status: +Running$/m,
      /^IP:/m,
      /^Controlled By: +ReplicationController\/one$/m,
      /^ +Image: /m,
      /^ +State: +Running$/m,
      /^QoS Class: +BestEffort$/m,
    ],
  );
  await describe(
    ['rc', 'one'],
    [
      /^Name: +one$/m,
      /^Selector: +app=one$/m,
      /^Replicas: +1 current \/ 1 desired$/m,
      /^Pods Status: +1 Running/m,
      /^ +Image: /m,
      /^Events:/m,
    ],
  );
  await describe(
    ['service', 'one'],
    [
      /^Name: +one$/m,
      /^Selector: +app=one$/m,
      /^Type: +ClusterIP$/m,
      /^IP: /m,
      /^Port: +<unset> +6379\/TCP$/m,
      /^Endpoints: /m,
      /^Session Affinity: +None$/m,
    ],
  );
  const [node] = (await lab.of('Node').list()).items;
  await describe(
    ['node', node?.metadata.name ?? ''],
    [
      /^Name: /m,
      /^Labels: /m,
      /^Conditions:$/m,
      /^Addresses:$/m,
      /^Capacity:$/m,
      /Kubelet Version: /,
      /^Non-terminated Pods: /m,
    ],
  );
  await describe(['namespace', lab.namespace], [/^Name: +conformance-/m, /^Status: +Active$/m]);
}
