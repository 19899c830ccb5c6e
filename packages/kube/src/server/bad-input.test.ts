/** Every route meets every kind of bad body: each gets a Status of the client's own fault, and the server goes on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatApiVersion, resourcePath } from '@skerry/api';
import { formatKey } from '../store/key.ts';
import { type Answer, type ScratchServer, scratchServer } from './testing/scratch-server.ts';

const NAMESPACE = 'default';
const NAME = 'victim';

const deep = (open: string, close: string) => open.repeat(10_000) + close.repeat(10_000);

const BAD_BODIES: Readonly<Record<string, string | Uint8Array>> = {
  null: 'null',
  'an empty list': '[]',
  'an empty text': '""',
  'a number': '42',
  'half an object': '{"metadata":',
  'a prototype': '{"__proto__":{"polluted":true},"metadata":{"name":"victim"}}',
  'a prototype in metadata': '{"metadata":{"name":"victim","__proto__":{"polluted":true},"labels":{"__proto__":"x"}}}',
  'metadata of the wrong type': '{"metadata":[]}',
  'labels of the wrong type': '{"metadata":{"name":"victim","labels":{"a":1}}}',
  'a name of the wrong type': '{"metadata":{"name":{}}}',
  'a name with a slash': '{"metadata":{"name":"../victim"}}',
  'lists nested 10,000 deep': deep('[', ']'),
  'objects nested 10,000 deep': `{"metadata":{"name":"victim"},"spec":${deep('{"a":[', ']}')}}`,
  'another kind': '{"apiVersion":"v1","kind":"Nonsense","metadata":{"name":"victim"}}',
  'a spec of the wrong type': '{"metadata":{"name":"victim"},"spec":"text","data":7,"rules":7}',
  'bytes that are no text': new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]),
};

const BAD_PROTOBUF = new Uint8Array([0x6b, 0x38, 0x73, 0x00, 0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]);

const PATCH_TYPES = ['json-patch+json', 'merge-patch+json', 'strategic-merge-patch+json', 'apply-patch+yaml'];

interface Route {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly contentType: string;
}

function routesOf({ server }: ScratchServer): Route[] {
  return server.table.all().flatMap(({ row }) => {
    const namespace = row.namespaced ? { namespace: NAMESPACE } : {};
    const at = { ...namespace, name: NAME };
    const subresources = row.subresources.map((subresource) => resourcePath(row.gvr, { ...at, subresource }));
    const objects = [resourcePath(row.gvr, at), ...subresources];
    return [
      { method: 'POST', url: resourcePath(row.gvr, namespace), contentType: 'application/json' },
      ...objects.flatMap((url): Route[] => [
        { method: 'POST', url, contentType: 'application/json' },
        { method: 'PUT', url, contentType: 'application/json' },
        { method: 'DELETE', url, contentType: 'application/json' },
        ...PATCH_TYPES.map(
          (type): Route => ({ method: 'PATCH', url: `${url}?fieldManager=m`, contentType: `application/${type}` }),
        ),
      ]),
    ];
  });
}

/** An object of the kind that the route means, put there behind the server's back, so that what changes objects is reached. */
async function seed({ options: { store }, server }: ScratchServer, url: string): Promise<void> {
  const [path = ''] = url.split('?');
  const kind = server.table.all().find(({ row }) => {
    const at = { ...(row.namespaced ? { namespace: NAMESPACE } : {}), name: NAME };
    const object = resourcePath(row.gvr, at);
    return path === object || path.startsWith(`${object}/`);
  });
  // A definition without a spec cannot come to be, and is tested where definitions are.
  if (kind === undefined || kind.row.gvk.kind === 'CustomResourceDefinition') return;
  const { gvr, gvk, namespaced } = kind.row;
  const namespace = namespaced ? NAMESPACE : '';
  const metadata = {
    name: NAME,
    ...(namespaced ? { namespace } : {}),
    uid: 'u',
    creationTimestamp: '2026-01-01T00:00:00Z',
  };
  const key = formatKey({ group: gvr.group, resource: gvr.resource, namespace, name: NAME });
  await store.put(key, JSON.stringify({ apiVersion: formatApiVersion(gvr), kind: gvk.kind, metadata }));
}

/** Some bodies are fine for some routes: what may not happen is a fault of the server, or an answer that is no Status. */
function assertFair(answer: Answer, what: string): void {
  assert.ok(answer.status < 500, `${what}: ${answer.status} ${answer.text.slice(0, 200)}`);
  if (answer.status < 400) return;
  assert.equal(answer.json?.kind, 'Status', `${what}: ${answer.text.slice(0, 200)}`);
  assert.equal(answer.json.code, answer.status, what);
  assert.notEqual(answer.json.message, '', what);
}

for (const [name, body] of Object.entries(BAD_BODIES)) {
  test(`a body that is ${name} is answered on every route`, async () => {
    const scratch = scratchServer();
    for (const { method, url, contentType } of routesOf(scratch)) {
      await seed(scratch, url);
      const answer = await scratch.ask(method, url, { body, headers: { 'content-type': contentType } });
      assertFair(answer, `${method} ${url} ${contentType}`);
    }
    assert.equal(({} as { polluted?: boolean }).polluted, undefined);
    assert.equal((await scratch.ask('GET', '/readyz')).status, 200);
  });
}

test('broken protobuf and unknown media types are answered on every route', async () => {
  const scratch = scratchServer();
  for (const { method, url } of routesOf(scratch)) {
    const headers = { 'content-type': 'application/vnd.kubernetes.protobuf' };
    assertFair(await scratch.ask(method, url, { body: BAD_PROTOBUF, headers }), `${method} ${url} protobuf`);
    const unknown = await scratch.ask(method, url, { body: '{}', headers: { 'content-type': 'text/html' } });
    assertFair(unknown, `${method} ${url} text/html`);
  }
});

test('bad queries are answered on every collection', async () => {
  const scratch = scratchServer();
  const queries: readonly (readonly [string, number])[] = [
    ['labelSelector=a%20b%20c', 400],
    ['fieldSelector=nonsense', 400],
    ['fieldSelector=spec.nothing%3Da', 400],
    ['limit=-1', 400],
    ['limit=many', 400],
    ['continue=@@@', 400],
    ['continue=bnVsbA', 400],
    ['resourceVersion=abc', 422],
    ['resourceVersion=999999999', 504],
    ['resourceVersionMatch=Exact', 422],
    ['resourceVersion=1&resourceVersionMatch=Sometimes', 422],
    ['watch=1&sendInitialEvents=true', 422],
    ['watch=1&resourceVersion=x', 422],
  ];
  for (const { row } of scratch.server.table.all()) {
    if (!row.verbs.includes('watch')) continue;
    for (const [query, status] of queries) {
      const url = `${resourcePath(row.gvr, row.namespaced ? { namespace: NAMESPACE } : {})}?${query}`;
      const answer = await scratch.ask('GET', url);
      assert.equal(answer.status, status, `${url}: ${answer.text.slice(0, 200)}`);
      assert.equal(answer.json.kind, 'Status', url);
    }
  }
});

test('bad paths are answered, and none of them reaches the store', async () => {
  const { ask } = scratchServer();
  const paths: readonly (readonly [string, number])[] = [
    ['/api/v1/namespaces/default/configmaps/a%2Fb', 400],
    ['/api/v1/namespaces/default/configmaps/%00', 400],
    ['/api/v1/namespaces/default/configmaps/%E0%A4%A', 400],
    ['/api/v1/namespaces/a%2Fb/configmaps', 400],
    [`/api/v1/namespaces/default/configmaps/${'x'.repeat(5000)}`, 400],
    ['/api/v1/nonsense', 404],
    ['/api/v7/pods', 404],
    ['/apis/nobody.example.com/v1/things', 404],
    ['/nothing', 404],
    ['/api/v1/namespaces/default/pods/none/log', 404],
    ['/api/v1/namespaces/default/pods/none/nonsense', 404],
    ['/api/v1/namespaces/default/configmaps/one/status', 404],
  ];
  for (const [path, status] of paths) assert.equal((await ask('GET', path)).status, status, path);
});
