/** Bad input to the cloud and to a node's own API, over real sockets: the right answer, flat memory, others served meanwhile. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:https';
import { after, before, test } from 'node:test';
import { connect } from 'node:tls';
import { formatApiVersion, resourcePath } from '@skerry/api';
import { TestCloud, TestEdge } from '@skerry/testkit/processes';
import { type Answer, read, residentBytes, TestClient } from './client.ts';

const MIB = 2 ** 20;
/** What the cases allow a process to grow by. */
const MAX_GROWTH = 10 * MIB;
const WARM_ROUNDS = 2;
const MAX_ROUNDS = 4;

let cloud: TestCloud;
let edge: TestEdge;
let admin: TestClient;
let local: TestClient;

before(async () => {
  cloud = await TestCloud.start();
  edge = await TestEdge.join(cloud, { name: 'edge-1' });
  await cloud.kubectl(['wait', '--for=condition=Ready', 'node/edge-1', '--timeout=30s']);
  admin = new TestClient(cloud.kubeconfig);
  local = new TestClient(edge.kubeconfig);
});
after(async () => {
  admin?.[Symbol.dispose]();
  local?.[Symbol.dispose]();
  await edge?.[Symbol.asyncDispose]();
  await cloud?.[Symbol.asyncDispose]();
});

const deep = (open: string, close: string) => open.repeat(10_000) + close.repeat(10_000);

const BODIES: Readonly<Record<string, string>> = {
  null: 'null',
  'an empty list': '[]',
  'an empty text': '""',
  'half an object': '{"metadata":',
  'a prototype': '{"__proto__":{"polluted":true},"metadata":{"name":"victim"}}',
  'a prototype among labels': '{"metadata":{"name":"victim","labels":{"__proto__":{"a":1}}}}',
  'metadata of the wrong type': '{"metadata":[]}',
  'a name of the wrong type': '{"metadata":{"name":{}}}',
  'a name with a slash': '{"metadata":{"name":"../victim"}}',
  'a spec of the wrong type': '{"metadata":{"name":"victim"},"spec":"text","data":7,"rules":7}',
  'lists nested 10,000 deep': deep('[', ']'),
  'objects nested 10,000 deep': `{"metadata":{"name":"victim"},"spec":${deep('{"a":[', ']}')}}`,
};
const PATCHES = ['json-patch+json', 'merge-patch+json', 'strategic-merge-patch+json', 'apply-patch+yaml'];

interface Discovered {
  readonly items: readonly { readonly metadata?: { readonly name?: string }; readonly versions: readonly Version[] }[];
}

interface Version {
  readonly version: string;
  readonly resources: readonly {
    readonly resource: string;
    readonly scope: string;
    readonly verbs: readonly string[];
    readonly subresources?: readonly { readonly subresource: string; readonly verbs: readonly string[] }[];
  }[];
}

interface Route {
  readonly method: string;
  readonly path: string;
  readonly contentType: string;
}

/** Every door that takes a body, as the server itself lists them. */
async function discoverRoutes(client: TestClient): Promise<Route[]> {
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  const routes: Route[] = [];
  for (const root of ['/api', '/apis']) {
    const { json } = await client.ask({ method: 'GET', path: root, headers: { accept } });
    for (const { metadata, versions } of (json as unknown as Discovered).items)
      for (const { version, resources } of versions)
        for (const { resource, scope, verbs, subresources = [] } of resources) {
          const gvr = { group: metadata?.name ?? '', version, resource };
          const place = scope === 'Namespaced' ? { namespace: 'default' } : {};
          routes.push(...doors(resourcePath(gvr, place), resourcePath(gvr, { ...place, name: 'victim' }), verbs));
          for (const { subresource, verbs: some } of subresources) {
            const path = resourcePath(gvr, { ...place, name: 'victim', subresource });
            routes.push(...doors(path, path, some));
          }
        }
  }
  return routes;
}

function doors(collection: string, object: string, verbs: readonly string[]): readonly Route[] {
  const json = 'application/json';
  const query = '?dryRun=All&fieldValidation=Strict&fieldManager=test';
  return [
    ...(verbs.includes('create') ? [{ method: 'POST', path: collection + query, contentType: json }] : []),
    ...(verbs.includes('update') ? [{ method: 'PUT', path: object + query, contentType: json }] : []),
    ...(verbs.includes('patch')
      ? PATCHES.map((type) => ({ method: 'PATCH', path: object + query, contentType: `application/${type}` }))
      : []),
  ];
}

/** The client's fault, said as Kubernetes says it. */
function assertRefused({ status, text, json }: Answer, what: string): void {
  assert.ok(status >= 400 && status < 500, `${what}: ${status} ${text.slice(0, 300)}`);
  assert.equal(json?.kind, 'Status', `${what}: ${text.slice(0, 300)}`);
  assert.equal(json['code'], status, what);
  assert.ok(text.length < 10_000, `${what}: an answer of ${text.length} bytes`);
}

async function checkBodies(client: TestClient, routes: readonly Route[]): Promise<void> {
  for (const [name, body] of Object.entries(BODIES))
    await Promise.all(
      routes.map(async (route) => {
        const answer = await client.ask({ ...route, body });
        // A review is a question; the name that nobody asked for is not looked at, as in Kubernetes.
        if (answer.status === 201 && /reviews\?/.test(route.path) && name.startsWith('a name')) return;
        assertRefused(answer, `${name} to ${route.method} ${route.path} ${route.contentType}`);
      }),
    );
}

test('every door of every resource, as discovery lists them, refuses every bad body with a Status', async () => {
  const routes = await discoverRoutes(admin);
  assert.ok(routes.length > 300, `only ${routes.length} routes`);
  // The first rounds warm code and heap up. A leak grows with each one after them; a heap that only breathes is soon as small again.
  for (let round = 0; round < WARM_ROUNDS; round++) await checkBodies(admin, routes);
  const before = residentBytes(cloud.process.pid);
  let growth = Number.POSITIVE_INFINITY;
  for (let round = 0; round < MAX_ROUNDS && growth >= MAX_GROWTH; round++) {
    await checkBodies(admin, routes);
    growth = residentBytes(cloud.process.pid) - before;
  }
  assert.ok(growth < MAX_GROWTH, `grew by ${growth} over ${routes.length * Object.keys(BODIES).length} requests`);
  assert.equal((await admin.ask({ method: 'GET', path: '/readyz' })).status, 200);
});

test('a node’s own API refuses them too', async () => {
  const routes = (await discoverRoutes(local)).filter(({ path }) => /\/(?:pods|configmaps|nodes|events)\b/.test(path));
  assert.ok(routes.length > 20, `only ${routes.length} routes`);
  await checkBodies(local, routes);
});

for (const [what, ask, status, reason] of [
  ['an invalid name', configMap({ name: 'Not_A_Name' }), 422, 'Invalid'],
  ['a name that climbs', configMap({ name: '..' }), 422, 'Invalid'],
  ['labels with shell words', configMap({ name: 'a', labels: { a: '$(touch x)' } }), 422, 'Invalid'],
  ['an unknown field, strictly', { ...configMap({ name: 'a' }, { nonsense: 1 }), strict: true }, 400, 'BadRequest'],
  [
    'a duplicate field, strictly',
    { body: '{"kind":"ConfigMap","kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"}}', strict: true },
    400,
    'BadRequest',
  ],
  [
    'a media type that nobody speaks',
    { ...configMap({ name: 'a' }), contentType: 'text/html' },
    415,
    'UnsupportedMediaType',
  ],
  [
    'a broken protobuf',
    { body: 'k8s\0\n\xff\xff\xff\xff\x0f', contentType: 'application/vnd.kubernetes.protobuf' },
    400,
    'BadRequest',
  ],
] as const) {
  test(`${what} is answered ${status} ${reason}`, async () => {
    const { strict, ...rest } = { strict: false, ...ask };
    const path = `/api/v1/namespaces/default/configmaps?dryRun=All${strict ? '&fieldValidation=Strict' : ''}`;
    const answer = await admin.ask({ method: 'POST', path, ...rest });
    assertRefused(answer, what);
    assert.deepEqual([answer.status, answer.json?.['reason']], [status, reason], answer.text);
  });
}

function configMap(metadata: object, more: object = {}): { readonly body: string; readonly contentType?: string } {
  return {
    body: JSON.stringify({
      apiVersion: formatApiVersion({ group: '', version: 'v1' }),
      kind: 'ConfigMap',
      metadata,
      ...more,
    }),
  };
}

test('YAML that is long, deep or full of keys is answered at once', async () => {
  const keys = Array.from({ length: 30_000 }, (_, index) => `k${index}: v`).join('\n');
  const path = '/api/v1/namespaces/default/configmaps?dryRun=All';
  for (const body of [`${'k: v\n'.repeat(400_000)}`, `${'- '.repeat(100_000)}x`, deep('[', ']'), `${keys}\nk1: v\n`]) {
    const started = performance.now();
    const answer = await admin.ask({ method: 'POST', path, body, contentType: 'application/yaml' });
    assertRefused(answer, body.slice(0, 40));
    assert.ok(performance.now() - started < 5000, `${body.slice(0, 40)} took ${performance.now() - started} ms`);
  }
});

test('a stale resourceVersion is a conflict, and nothing is written', async () => {
  const path = '/api/v1/namespaces/default/configmaps';
  const made = await admin.ask({ method: 'POST', path, ...configMap({ name: 'stale' }) });
  assert.equal(made.status, 201, made.text);
  const stale = await admin.ask({
    method: 'PUT',
    path: `${path}/stale`,
    ...configMap({ name: 'stale', resourceVersion: '1' }, { data: { a: 'b' } }),
  });
  assert.deepEqual([stale.status, stale.json?.['reason']], [409, 'Conflict']);
  const now = await admin.json<{ readonly data?: object }>(`${path}/stale`);
  assert.equal(now.data, undefined);
});

/** Sends a megabyte at a time until the server has had enough; resolves with what it answered, if it did. */
async function flood(client: TestClient, path: string, headers: Readonly<Record<string, string>>): Promise<number> {
  const url = new URL(path, client.server);
  const asked = request(url, { method: 'POST', headers, ...client.tls });
  const piece = Buffer.alloc(MIB, 0x20);
  let isOver = false;
  const answered = new Promise<number>((resolve) => {
    asked.once(
      'response',
      (response) =>
        void read(response).then(
          ({ status }) => resolve(status),
          () => resolve(response.statusCode ?? 0),
        ),
    );
    asked.once('error', () => resolve(0));
  });
  void answered.then(() => (isOver = true));
  for (let sent = 0; sent < 1024 && !isOver; sent++) {
    if (!asked.write(piece)) await Promise.race([once(asked, 'drain').catch(() => {}), answered]);
  }
  asked.destroy();
  return answered;
}

test('bodies of a gigabyte, said or unsaid, end at the cap; memory stays flat and others are served', async () => {
  using anonymous = new TestClient(cloud.kubeconfig, true);
  const path = '/api/v1/namespaces/default/configmaps';
  const enrol = `https://${cloud.linkAddress}/enroll/v1/node`;
  const json = { 'content-type': 'application/json' };
  const said = { ...json, 'content-length': String(1024 * MIB) };
  const before = residentBytes(cloud.process.pid);
  const floods = [
    flood(admin, path, json),
    flood(admin, path, said),
    flood(anonymous, path, said),
    flood(anonymous, enrol, json),
    flood(anonymous, enrol, said),
  ];
  assert.equal((await admin.ask({ method: 'GET', path })).status, 200);
  const statuses = await Promise.all(floods);
  // Whoever is not known may be turned away before the body is looked at; 0 is a connection closed in mid-flood.
  for (const status of statuses) assert.ok([413, 401, 0].includes(status), `${statuses}`);
  const growth = residentBytes(cloud.process.pid) - before;
  assert.ok(growth < MAX_GROWTH, `grew by ${growth}`);
});

test('clients that say a little and then nothing hold nobody up', async () => {
  const { hostname, port } = new URL(cloud.server);
  const sockets = Array.from({ length: 200 }, () => {
    const socket = connect({ host: hostname, port: Number(port), ...admin.tls });
    socket.on('error', () => {});
    socket.write('POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{');
    return socket;
  });
  try {
    await Promise.all(sockets.map((socket) => once(socket, 'secureConnect')));
    const started = performance.now();
    for (let i = 0; i < 20; i++) assert.equal((await admin.ask({ method: 'GET', path: '/api/v1/nodes' })).status, 200);
    assert.ok(performance.now() - started < 5000, 'others waited');
  } finally {
    for (const socket of sockets) socket.destroy();
  }
});

for (const [which, kubeconfig] of [
  ['the cloud', () => cloud.kubeconfig],
  ['a node', () => edge.kubeconfig],
] as const) {
  test(`whoever brings no credentials, or false ones, gets 401 from ${which} on every route`, async () => {
    using anonymous = new TestClient(kubeconfig(), true);
    const paths = [
      '/api/v1/pods',
      '/api/v1/namespaces/default/secrets',
      '/apis/apps/v1/deployments',
      '/metrics',
      '/openapi/v3',
      '/skerry/v1/backup',
    ];
    for (const path of paths)
      for (const headers of [{}, { authorization: 'Bearer nonsense' }, { authorization: 'Basic YTpi' }]) {
        const answer = await anonymous.ask({ method: 'GET', path, headers });
        assert.equal(answer.status, 401, `${path} ${JSON.stringify(headers)}: ${answer.text}`);
        assertRefused(answer, path);
      }
  });
}
