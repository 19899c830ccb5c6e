/** A program in a pod speaks to the API as anywhere else: address and account from its surroundings, connected and cut off alike. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import {
  CHECKOUT,
  COUNTING,
  eventually,
  GROUNDS,
  type Ground,
  type GroundKind,
  pod,
  type Runtime,
  requireSystem,
  skipWithout,
  TcpProxy,
  TestCloud,
  TestEdge,
  tryKubectl,
  withHostPrograms,
} from '@skerry/testkit/processes';

/** Knows nothing but what Kubernetes promises every container. Prints the status and the answer. */
const PROGRAM = `
const { readFileSync } = require('node:fs');
const { request } = require('node:https');
const [method, path, body, tokenFile, name] = process.argv.slice(2);
const folder = '/var/run/secrets/kubernetes.io/serviceaccount';
const { KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT } = process.env;
const [host, port] = name ? [name, 443] : [KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT];
const headers = { 'content-type': 'application/json' };
if (tokenFile !== 'none') headers.authorization = 'Bearer ' + readFileSync(tokenFile || folder + '/token', 'utf8');
request({ host, port, method, path, headers, ca: readFileSync(folder + '/ca.crt') }, (answer) => {
  let text = '';
  answer.on('data', (chunk) => (text += chunk));
  answer.on('end', () => console.log(JSON.stringify({ status: answer.statusCode, body: JSON.parse(text) })));
}).on('error', (error) => console.log(JSON.stringify({ status: 0, body: String(error) }))).end(body || undefined);
`;

const RBAC = [
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'reader' } },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'reader' },
    rules: [
      { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'create', 'update'] },
      { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] },
    ],
  },
  {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'reader' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' },
    subjects: [{ kind: 'ServiceAccount', name: 'reader', namespace: 'default' }],
  },
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { colour: 'blue' } },
];

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const configMap = (name: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data: { made: 'here' },
});

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

interface Question {
  readonly pod?: string;
  readonly method?: string;
  readonly path: string;
  readonly body?: object;
  readonly token?: string;
  /** Asks for the API by this name, not where the environment says. */
  readonly host?: string;
}

for (const kind of GROUNDS) accessFrom(kind);

function accessFrom(kind: GroundKind): void {
  suite(`The API in a pod of ${kind.name}`, {
    skip: skipWithout(...kind.needs, ...(kind.name === 'containerd' ? (['nftables'] as const) : [])),
    concurrency: 1,
  }, () => {
    let cloud: TestCloud;
    let edge: TestEdge;
    let cable: TcpProxy;
    let ground: Ground;
    let runtime: Runtime;
    const work = mkdtempSync(join(tmpdir(), 'skerry-in-pod-'));

    before(async () => {
      writeFileSync(join(work, 'ask.js'), PROGRAM);
      cloud = await TestCloud.start();
      cable = await TcpProxy.start(cloud.linkAddress);
      ground = await kind.open();
      ({ runtime } = ground);
      edge = await TestEdge.join(cloud, {
        name: 'edge-1',
        args: ['--join', cable.address],
        ...ground.edge,
      });
      for (const manifest of RBAC) await cloud.apply(manifest);
      await start('asker', { serviceAccountName: 'reader' });
    });
    after(async () => {
      await edge?.[Symbol.asyncDispose]();
      await ground?.[Symbol.asyncDispose]();
      await cable?.[Symbol.asyncDispose]();
      await cloud?.[Symbol.asyncDispose]();
      rmSync(work, { recursive: true, force: true });
    });

    async function start(name: string, spec: object): Promise<void> {
      const host = withHostPrograms(runtime, CHECKOUT);
      const container = {
        volumeMounts: [
          ...((host.container as { volumeMounts?: object[] }).volumeMounts ?? []),
          { name: 'program', mountPath: '/program' },
          { name: 'settings', mountPath: '/settings' },
        ],
      };
      const volumes = [
        ...((host.spec as { volumes?: object[] }).volumes ?? []),
        { name: 'program', configMap: { name: 'program' } },
        { name: 'settings', configMap: { name: 'settings' } },
      ];
      await cloud.apply({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'program' },
        data: { 'ask.js': PROGRAM },
      });
      await cloud.apply(pod(runtime, { name, script: COUNTING, container, spec: { volumes, ...spec } }));
      await cloud.kubectl(['wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s']);
    }

    /** Runs the program inside the pod, by way of the node's own API, which answers with and without the cloud. */
    async function ask(question: Question): Promise<Answer> {
      const { pod: name = 'asker', method = 'GET', path, body, token = '', host = '' } = question;
      const text = body === undefined ? '' : JSON.stringify(body);
      const command = [process.execPath, '/program/ask.js', method, path, text, token, host];
      return JSON.parse(await edge.kubectl(['exec', name, '--', ...command])) as Answer;
    }

    async function check(question: Question, status: number, expected: RegExp): Promise<void> {
      const answer = await ask(question);
      assert.equal(answer.status, status, JSON.stringify(answer));
      assert.match(JSON.stringify(answer.body), expected);
    }

    /** As somebody who has nothing but the token: kubectl would show the kubeconfig's certificate, too. */
    async function withToken(kubeconfig: string, token: string): Promise<string> {
      const bare = join(work, 'kubeconfig');
      const config = JSON.parse(readFileSync(kubeconfig, 'utf8')) as { users: { user: object }[] };
      writeFileSync(
        bare,
        JSON.stringify({ ...config, users: config.users.map((each) => ({ ...each, user: { token: token.trim() } })) }),
      );
      const { stdout, stderr } = await tryKubectl(bare, ['get', '--raw', `${CONFIG_MAPS}/settings`]);
      return stdout + stderr;
    }

    test('a pod reads what its roles allow, as its own account, and nothing else', async () => {
      await check({ path: `${CONFIG_MAPS}/settings` }, 200, /"colour":"blue"/);
      await check({ path: '/api/v1/namespaces/default/pods' }, 200, /"asker"/);
      await check(
        { path: '/api/v1/namespaces/default/secrets' },
        403,
        /system:serviceaccount:default:reader\\" cannot list resource \\"secrets/,
      );
      await check({ path: '/api/v1/nodes' }, 403, /cannot list resource/);
    });

    test('the API answers to its name, and the name is in its certificate', async (t) => {
      if (!requireSystem(t, 'root', 'nftables')) return;
      await check({ path: `${CONFIG_MAPS}/settings`, host: 'kubernetes.default.svc' }, 200, /"colour":"blue"/);
    });

    test('without a token nobody is let in', () =>
      check({ path: `${CONFIG_MAPS}/settings`, token: 'none' }, 401, /Unauthorized/));

    test('what the cloud decides is asked there in the name of the account', async () => {
      await check({ method: 'POST', path: CONFIG_MAPS, body: configMap('made') }, 201, /"made"/);
      assert.equal(await cloud.kubectl(['get', 'cm/made', '-o', 'jsonpath={.data.made}']), 'here');
      // The node may write no such thing, nor may this account: the answer names the account.
      const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'made' } };
      await check(
        { method: 'POST', path: '/api/v1/namespaces/default/secrets', body: secret },
        403,
        /serviceaccount:default:reader/,
      );
    });

    test('a role taken away in the cloud counts at the edge at once', async () => {
      await cloud.kubectl(['delete', 'rolebinding', 'reader']);
      await eventually(
        'the pod is refused',
        async () => (await ask({ path: `${CONFIG_MAPS}/settings` })).status === 403,
      );
      await cloud.apply(RBAC[2] ?? {});
      await eventually(
        'the pod is let in',
        async () => (await ask({ path: `${CONFIG_MAPS}/settings` })).status === 200,
      );
    });

    test('cut off, the token of the cloud counts on, and roles decide as before', async () => {
      cable.cut();
      await check({ path: `${CONFIG_MAPS}/settings` }, 200, /"colour":"blue"/);
      await check({ path: '/api/v1/namespaces/default/secrets' }, 403, /cannot list resource/);
      await check({ method: 'POST', path: CONFIG_MAPS, body: configMap('more') }, 503, /cut off/);
    });

    test('cut off, after the agent was started anew, all of it still holds', async () => {
      await edge.process.kill9();
      await edge.process.start();
      await eventually(
        'the pod is let in',
        async () => (await ask({ path: `${CONFIG_MAPS}/settings` })).status === 200,
      );
      await check({ path: '/api/v1/namespaces/default/secrets' }, 403, /cannot list resource/);
    });

    test('a token made by the cut-off node counts here, and nowhere else', async () => {
      const made = await edge.kubectl(['create', 'token', 'reader']);
      assert.match(await withToken(edge.kubeconfig, made), /"colour":"blue"/);
      cable.mend();
      assert.match(await withToken(cloud.kubeconfig, made), /Unauthorized/);
    });
  });
}
