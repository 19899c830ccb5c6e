import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { planCollection } from '../pod/image-collection.ts';
import { authFor } from '../pod/registry-auth.ts';
import type { Container, Pod, PodSpec, Resources } from '../pod/types.ts';
import { RuntimeRefusal } from '../runtime.ts';
import { containerConfigOf, refuseRoot } from './container-config.ts';
import { bytes, decode, encode, flag, map, message, messages, text, texts, whole } from './message.ts';
import { oomScoreOf } from './oom-score.ts';
import { sandboxConfigOf } from './sandbox-config.ts';
import { METHODS, Namespace, Profile } from './schema.ts';

const INNER = { word: text(1), count: whole(2) };
const OUTER = {
  name: text(1),
  size: whole(3),
  isSet: flag(4),
  raw: bytes(5),
  words: texts(6),
  labels: map(7),
  inner: message(8, INNER),
  many: messages(15, INNER),
};

test('what was encoded is decoded again, whatever it is', () => {
  const inner = fc.record({ word: fc.string(), count: fc.integer() }, { noNullPrototype: true });
  const outer = fc.record(
    {
      name: fc.string(),
      size: fc.maxSafeInteger(),
      isSet: fc.boolean(),
      raw: fc.uint8Array().map((one) => Buffer.from(one)),
      words: fc.array(fc.string()),
      labels: fc.dictionary(
        fc.string().filter((key) => key !== '__proto__'),
        fc.string(),
        { noNullPrototype: true },
      ),
      inner,
      many: fc.array(inner),
    },
    { noNullPrototype: true },
  );
  fc.assert(fc.property(outer, (value) => assert.deepEqual(decode(OUTER, Buffer.from(encode(OUTER, value))), value)));
});

test('fields that nobody knows are passed over, and what is missing has its default', () => {
  const whole = Buffer.from(encode(OUTER, { name: 'a', labels: { b: 'c' }, inner: { word: 'd' }, size: 4 }));
  assert.deepEqual(decode({ name: text(1), other: text(99) }, whole), { name: 'a', other: '' });
});

function podWith(spec: Partial<PodSpec>, container: Partial<Container> = {}): Pod {
  const containers = [{ name: 'main', ...container }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'n', name: 'p', uid: 'u' },
    spec: { containers, ...spec },
  };
}

const sandboxOf = (spec: Partial<PodSpec>, container?: Partial<Container>) =>
  sandboxConfigOf(podWith(spec, container), { node: 'edge-1', logDirectory: '/logs/n_p_u', attempt: 0 });

test('a sandbox on the host network keeps the host’s name and maps no port', () => {
  const ports = [{ containerPort: 80, hostPort: 8080 }];
  assert.deepEqual(sandboxOf({}, { ports }).ports, [{ protocol: 0, containerPort: 80, hostPort: 8080, hostIp: '' }]);
  const { hostname, ports: none, linux } = sandboxOf({ hostNetwork: true }, { ports });
  assert.deepEqual([hostname, none, linux?.security?.namespaces?.network], [undefined, undefined, Namespace.node]);
});

test('a sandbox is told whom its pod asks for names', () => {
  const dns = { servers: ['10.0.0.9'], searches: [], options: ['ndots:2'] };
  const facts = { node: 'edge-1', logDirectory: '/logs/n_p_u', attempt: 0 };
  assert.deepEqual(sandboxConfigOf(podWith({}), { ...facts, dns }).dns, dns);
  assert.equal(sandboxConfigOf(podWith({}), facts).dns, undefined);
});

function configOf(container: Partial<Container>, spec: Partial<PodSpec> = {}) {
  const pod = podWith(spec, container);
  const [own] = pod.spec.containers;
  assert.ok(own);
  const request = {
    pod,
    container: own,
    attempt: 2,
    env: { A: '1' },
    command: [],
    args: [],
    mounts: [{ hostPath: '/v', mountPath: '/data', readOnly: true }],
    logPath: '/logs/n_p_u/main/2.log',
    podLogDirectory: '/logs/n_p_u',
    imageRef: 'sha256:1',
    terminationLog: '/t',
    hash: 'h',
  };
  const hosts = [{ hostPath: '/h', mountPath: '/etc/hosts', readOnly: false }];
  return containerConfigOf(request, {
    node: 'edge-1',
    bootId: 'b',
    logDirectory: '/logs/n_p_u',
    mounts: hosts,
    memoryTotal: 1e9,
    seccompFolder: '/node/seccomp',
  });
}

test('a container sees its volumes, its hosts file and a place for its last words', () => {
  const paths = (spec: Partial<Container>) =>
    configOf(spec).mounts?.map(({ containerPath, hostPath }) => `${hostPath}:${containerPath}`);
  assert.deepEqual(paths({}), ['/v:/data', '/h:/etc/hosts', '/t:/dev/termination-log']);
  assert.deepEqual(paths({ terminationMessagePath: '/data' }), ['/v:/data', '/h:/etc/hosts'], 'a volume comes first');
  assert.equal(configOf({}).logPath, 'main/2.log');
});

test('limits become quotas and shares', () => {
  const resources: Resources = { limits: { cpu: '500m', memory: '64Mi' }, requests: { cpu: '250m' } };
  assert.deepEqual(configOf({ resources }).linux?.resources, {
    cpuShares: 256,
    cpuPeriod: 100_000,
    cpuQuota: 50_000,
    memoryLimit: 64 * 2 ** 20,
    oomScoreAdj: 999,
  });
  assert.equal(configOf({}).linux?.resources?.cpuShares, 2);
});

test('the container’s word counts before its pod’s, and a group alone goes with root', () => {
  const security = (own: Container['securityContext'], shared = {}) =>
    configOf(own === undefined ? {} : { securityContext: own }, { securityContext: shared }).linux?.security;
  assert.deepEqual(security({ runAsUser: 7 }, { runAsUser: 1, runAsGroup: 2 })?.runAsUser, { value: 7 });
  assert.deepEqual(security(undefined, { runAsGroup: 2 })?.runAsUser, { value: 0 });
  assert.deepEqual(security({ capabilities: { add: ['CAP_NET_ADMIN'], drop: ['all'] } })?.capabilities, {
    add: ['NET_ADMIN'],
    drop: ['ALL'],
  });
  assert.deepEqual(security(undefined, { fsGroup: 5, supplementalGroups: [6] })?.supplementalGroups, [6, 5]);
});

/** By their numbers in runtime.v1. */
const SECURITY_ON_THE_WIRE = {
  seccomp: message(15, { type: whole(1), localhostRef: text(2) }),
  appArmor: message(16, { type: whole(1), localhostRef: text(2) }),
};
const CONTAINER_ON_THE_WIRE = {
  config: message(2, { linux: message(15, { security: message(2, SECURITY_ON_THE_WIRE) }) }),
};

/** What a runtime reads in the request for a container. */
function profilesSent(own: Container['securityContext'] & object, shared: PodSpec['securityContext'] = {}) {
  const config = configOf({ securityContext: own }, { securityContext: shared });
  const request = encode(METHODS.CreateContainer[1], { sandboxId: 's', config });
  return decode(CONTAINER_ON_THE_WIRE, Buffer.from(request)).config?.linux?.security;
}

test('a runtime is told the file of a seccomp profile and the name of one of AppArmor', () => {
  const local = (localhostProfile: string) => ({ type: 'Localhost', localhostProfile });
  const told = (localhostRef: string) => ({ type: 2, localhostRef });
  const pod = { seccompProfile: local('pod.json'), appArmorProfile: local('of-the-pod') };
  const all = { seccomp: told('/node/seccomp/pod.json'), appArmor: told('of-the-pod') };
  assert.deepEqual(profilesSent({}, pod), all);
  assert.deepEqual(profilesSent({ seccompProfile: local('web/own.json'), appArmorProfile: local('own') }, pod), {
    seccomp: told('/node/seccomp/web/own.json'),
    appArmor: told('own'),
  });
  assert.equal(profilesSent({ appArmorProfile: { type: 'RuntimeDefault' } })?.appArmor?.type, 0);
  assert.equal(profilesSent({ privileged: true }, pod)?.seccomp?.type, 1);
  assert.equal(sandboxOf({ securityContext: pod }).linux?.security?.seccomp?.type, Profile.runtimeDefault);
});

test('a seccomp profile is a file below the node’s folder of them', () => {
  for (const localhostProfile of ['', '/etc/own.json', '../own.json', 'web/../../own.json'])
    assert.throws(
      () => profilesSent({ seccompProfile: { type: 'Localhost', localhostProfile } }),
      (error) => error instanceof RuntimeRefusal && error.reason === 'CreateContainerConfigError',
    );
});

test('who may not be root is not, whoever the image is made for', () => {
  const refused = (user: number | undefined, image: { uid?: number; username: string }) => {
    const securityContext = { runAsNonRoot: true, ...(user === undefined ? {} : { runAsUser: user }) };
    try {
      refuseRoot(podWith({}), { name: 'main', securityContext }, image);
      return undefined;
    } catch (error) {
      return error instanceof RuntimeRefusal ? error.reason : error;
    }
  };
  assert.equal(refused(1000, { username: '' }), undefined);
  assert.equal(refused(undefined, { uid: 1000, username: '' }), undefined);
  for (const [user, image] of [
    [0, { username: '' }],
    [undefined, { username: '' }],
    [undefined, { uid: 0, username: '' }],
    [undefined, { username: 'web' }],
  ] as const)
    assert.equal(refused(user, image), 'CreateContainerConfigError');
});

test('the pod that asked for least dies first', () => {
  const score = (resources: Resources) => oomScoreOf(podWith({}, { resources }), { name: 'main', resources }, 1e9);
  const equal = { cpu: '1', memory: '1M' };
  assert.equal(score({ limits: equal, requests: equal }), -997);
  assert.equal(score({}), 1000);
  assert.equal(score({ requests: { memory: '250M' } }), 750);
});

async function authOf(image: string, auths: object): Promise<unknown> {
  const data = { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') };
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: {}, data };
  const found = await authFor(image, podWith({ imagePullSecrets: [{ name: 's' }] }), async () => secret);
  return found === undefined ? undefined : `${found.username}:${found.password}`;
}

test('the credentials with the longest matching prefix are used', async () => {
  const auth = (text: string) => ({ auth: Buffer.from(text).toString('base64') });
  const auths = {
    'https://index.docker.io/v1/': auth('hub:a:b'),
    'reg.io': auth('all:1'),
    'reg.io/team': { username: 'team', password: '2' },
  };
  assert.equal(await authOf('web', auths), 'hub:a:b');
  assert.equal(await authOf('reg.io/other/web', auths), 'all:1');
  assert.equal(await authOf('reg.io/team/web', auths), 'team:2');
  assert.equal(await authOf('reg.iox/web', auths), undefined);
});

test('a secret that is no JSON has no credentials', async () => {
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: {}, data: { '.dockerconfigjson': 'bm90IGpzb24=' } };
  assert.equal(await authFor('web', podWith({ imagePullSecrets: [{ name: 's' }] }), async () => secret), undefined);
});

test('images go from a disk that is nearly full, the longest unused first, and no more than needed', () => {
  const unused = [
    { id: 'young', size: 10, since: 990_000 },
    { id: 'old', size: 4, since: 0 },
    { id: 'older', size: 4, since: -1 },
  ];
  const plan = (usedBytes: number) =>
    planCollection(1_000_000, { totalBytes: 100, usedBytes }, unused).map(({ id }) => id);
  assert.deepEqual(plan(84), []);
  assert.deepEqual(plan(86), ['older', 'old']);
  assert.deepEqual(plan(99), ['older', 'old'], 'one that just came may be for a pod that is about to start');
});
