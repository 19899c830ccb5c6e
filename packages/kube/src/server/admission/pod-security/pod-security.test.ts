import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ScratchServer, scratchServer } from '../../testing/scratch-server.ts';

const URL = '/api/v1/namespaces/shop';
const LABEL = 'pod-security.kubernetes.io/';

interface Namespace extends ScratchServer {
  /** The status and what was said: the refusal, or the warnings. */
  readonly send: (method: 'POST' | 'PATCH', url: string, body: object) => Promise<{ status: number; said: string }>;
}

async function check(labels: Record<string, string>, story: (namespace: Namespace) => Promise<void>): Promise<void> {
  const server = scratchServer();
  const headers = { 'content-type': 'application/merge-patch+json' };
  const send: Namespace['send'] = async (method, url, body) => {
    const answer = await server.ask(method, url, { body, ...(method === 'PATCH' ? { headers } : {}) });
    return {
      status: answer.status,
      said: answer.status > 299 ? answer.json.message : (answer.headers['warning'] ?? ''),
    };
  };
  assert.equal(
    (await send('POST', '/api/v1/namespaces', { metadata: { name: 'shop', labels: labelled(labels) } })).status,
    201,
  );
  await story({ ...server, send });
}

function labelled(labels: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).map(([key, value]) => [`${LABEL}${key}`, value]));
}

const spec = (more: object = {}) => ({ containers: [{ name: 'c', image: 'web:1' }], ...more });
const pod = (name: string, more: object = {}) => ({ metadata: { name }, spec: spec(more) });

test('pods that break the standard of their namespace are refused with all their reasons', () =>
  check({ enforce: 'baseline' }, async ({ send }) => {
    assert.equal((await send('POST', `${URL}/pods`, pod('fine'))).status, 201);
    assert.deepEqual(
      await send('POST', `${URL}/pods`, pod('bad', { hostNetwork: true, runtimeClassName: 'process' })),
      {
        status: 403,
        said: 'pods "bad" is forbidden: pod rejected: RuntimeClass "process" not found',
      },
    );
    assert.deepEqual(await send('POST', `${URL}/pods`, pod('bad', { hostNetwork: true, hostPID: true })), {
      status: 403,
      said: 'pods "bad" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true, hostPID=true)',
    });
    assert.equal((await send('PATCH', `${URL}/pods/fine`, { metadata: { labels: { a: 'b' } } })).status, 200);
    const image = { spec: { containers: [{ name: 'c', image: 'host' }] } };
    assert.match(
      (await send('PATCH', `${URL}/pods/fine`, image)).said,
      /violates PodSecurity "baseline:latest": process of the host/,
    );
  }));

test('a pod of the runtime class process counts as privileged', () =>
  check({ enforce: 'baseline' }, async ({ send, ask }) => {
    const body = { metadata: { name: 'process' }, handler: 'process' };
    await ask('POST', '/apis/node.k8s.io/v1/runtimeclasses', { body });
    assert.match(
      (await send('POST', `${URL}/pods`, pod('p', { runtimeClassName: 'process' }))).said,
      /process of the host \(pod must not set runtimeClassName="process"\)/,
    );
  }));

test('what makes pods is let in with a warning', () =>
  check({ enforce: 'baseline', warn: 'baseline' }, async ({ send }) => {
    const template = { metadata: { labels: { app: 'web' } }, spec: spec({ hostIPC: true }) };
    const body = { metadata: { name: 'd' }, spec: { selector: { matchLabels: { app: 'web' } }, template } };
    const { status, said } = await send('POST', '/apis/apps/v1/namespaces/shop/deployments', body);
    assert.equal(status, 201);
    assert.match(said, /would violate PodSecurity \\?"baseline:latest\\?": host namespaces \(hostIPC=true\)/);
  }));

test('a namespace that demands nothing lets everything in', () =>
  check({}, async ({ send }) => {
    assert.deepEqual(await send('POST', `${URL}/pods`, pod('p', { hostNetwork: true })), { status: 201, said: '' });
  }));

test('labels must make sense, and who raises the standard hears of the pods that break it', () =>
  check({}, async ({ send }) => {
    for (const name of ['a', 'b']) await send('POST', `${URL}/pods`, pod(name, { hostPID: true }));
    const wrong = await send('PATCH', '/api/v1/namespaces/shop', {
      metadata: { labels: labelled({ enforce: 'odd' }) },
    });
    assert.equal(wrong.status, 422);
    assert.match(wrong.said, /must be one of privileged, baseline, restricted/);
    const raised = await send('PATCH', '/api/v1/namespaces/shop', {
      metadata: { labels: labelled({ enforce: 'baseline' }) },
    });
    assert.equal(raised.status, 200);
    assert.match(raised.said, /existing pods in namespace \\?"shop\\?" violate the new PodSecurity enforce level/);
    assert.match(raised.said, /a \(and 1 other pod\): host namespaces/);
  }));

test('what would break the standard is noted in the audit log', async () => {
  const noted: unknown[] = [];
  const { ask } = scratchServer({ audit: { append: ({ annotations }) => noted.push(annotations) } });
  const labels = labelled({ audit: 'baseline' });
  await ask('POST', '/api/v1/namespaces', { body: { metadata: { name: 'shop', labels } } });
  assert.equal((await ask('POST', `${URL}/pods`, { body: pod('p', { hostPID: true }) })).status, 201);
  assert.deepEqual(noted.at(-1), {
    'pod-security.kubernetes.io/audit-violations':
      'would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)',
  });
});
