import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '@skerry/api';
import { AdmissionPending } from '../../engine.ts';
import { scratchServer } from '../../testing/scratch-server.ts';
import type { Review, Reviewer } from './contract.ts';
import { compileMatching, type MatchingText, matchesRules } from './rules.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';
const PODS = '/api/v1/namespaces/default/pods';
const MERGE = { 'content-type': 'application/merge-patch+json' };

const POD = { metadata: { generateName: 'web-' }, spec: { containers: [{ name: 'main', image: 'nginx' }] } };

test('who has to ask somebody sees the same object when the request begins anew, and answers reach only that request', async () => {
  const asked: string[] = [];
  const distant: Reviewer = {
    name: 'distant',
    mutate: (_engine, { object, call, operation }) => {
      if (object === null || object.kind !== 'Pod') return;
      const text = JSON.stringify([object, operation]);
      if (call.answers.has(text)) return;
      asked.push(text);
      throw new AdmissionPending(Promise.resolve().then(() => call.answers.set(text, 'yes')));
    },
  };
  const { ask } = scratchServer({ reviewers: [distant] });
  const { status, json } = await ask('POST', PODS, { body: POD });
  assert.equal(status, 201, json.message);
  assert.equal(asked.length, 1, 'names, identities and addresses drawn by lot are drawn once');
  assert.ok(asked[0]?.includes(json.metadata.name) && asked[0].includes(json.metadata.uid));
  await ask('POST', PODS, { body: POD });
  assert.equal(asked.length, 2);
});

test('each object of a collection waits by itself', async () => {
  let waits = 0;
  const seen = new Set<string>();
  const distant: Reviewer = {
    name: 'distant',
    validate: (_engine, { operation, name }) => {
      if (operation !== 'DELETE' || seen.has(name)) return;
      waits++;
      throw new AdmissionPending(Promise.resolve().then(() => seen.add(name)));
    },
  };
  const { ask } = scratchServer({ reviewers: [distant] });
  for (let at = 0; at < 20; at++) await ask('POST', MAPS, { body: { metadata: { name: `m-${at}` } } });
  assert.equal((await ask('DELETE', MAPS)).status, 200);
  assert.deepEqual([waits, (await ask('GET', MAPS)).json.items], [20, []]);
});

test('a reviewer writes neither who the object is nor what the endpoint does not write', async () => {
  const meddler: Reviewer = {
    name: 'meddler',
    mutate: (_engine, review) => {
      const { object } = review;
      if (object?.kind !== 'ReplicaSet') return;
      const metadata = { ...object.metadata, name: 'other', namespace: 'else', uid: 'x', labels: { a: 'b' } };
      review.rewrite({ ...object, metadata, spec: { ...(object['spec'] as object), replicas: 7, nonsense: true } });
    },
  };
  const { ask } = scratchServer({ reviewers: [meddler] });
  const sets = '/apis/apps/v1/namespaces/default/replicasets';
  const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'main', image: 'nginx' }] } };
  const body = { metadata: { name: 'web' }, spec: { replicas: 1, selector: { matchLabels: { a: 'b' } }, template } };
  const { json } = await ask('POST', sets, { body });
  const { name, namespace, labels } = json.metadata;
  assert.deepEqual([name, namespace, labels, json.spec.replicas], ['web', 'default', { a: 'b' }, 7]);
  assert.ok(!('nonsense' in json.spec));
  await ask('PATCH', `${sets}/web`, { body: { spec: { replicas: 2 } }, headers: MERGE });
  const status = await ask('PATCH', `${sets}/web/status`, { body: { status: { replicas: 3 } }, headers: MERGE });
  assert.deepEqual([status.json.spec.replicas, status.json.status.replicas], [7, 3]);
});

test('what goes to a subresource is reviewed as it was sent', async () => {
  const seen: unknown[] = [];
  const witness: Reviewer = {
    name: 'witness',
    validate: (_engine, { operation, object, gvk, call, name }) =>
      void seen.push([operation, name, call.route.subresource ?? '', gvk.kind, object?.kind ?? null]),
  };
  const { ask } = scratchServer({ reviewers: [witness] });
  await ask('POST', PODS, { body: { ...POD, metadata: { name: 'web' } } });
  const target = { kind: 'Node', name: 'edge-1' };
  await ask('POST', `${PODS}/web/binding`, { body: { target } });
  await ask('POST', `${PODS}/web/eviction`, { body: { deleteOptions: { gracePeriodSeconds: 0 } } });
  assert.deepEqual(seen, [
    ['CREATE', 'web', '', 'Pod', 'Pod'],
    ['CREATE', 'web', 'binding', 'Binding', 'Binding'],
    ['CREATE', 'web', 'eviction', 'Eviction', 'Eviction'],
  ]);
});

/** Whether the rules are for the creation of an object at `path`. */
async function check(matching: MatchingText, path: string, object: Partial<KubeObject>, expected: string | undefined) {
  let found: string | undefined;
  const witness: Reviewer = {
    name: 'witness',
    validate: (engine, review: Review) => {
      const match = matchesRules(engine, review, compileMatching(matching));
      found = match === undefined ? undefined : `${match.resource.version} ${match.kind.version}`;
    },
  };
  const { ask } = scratchServer({ reviewers: [witness] });
  const { status, text } = await ask('POST', path, { body: object });
  assert.equal(status, 201, text);
  assert.equal(found, expected, JSON.stringify(matching));
}

test('rules name groups, versions, resources, operations, names and scopes', async () => {
  const map = { metadata: { name: 'm', labels: { a: 'b' } } };
  const rule = {
    apiGroups: [''],
    apiVersions: ['v1'],
    operations: ['CREATE' as const],
    resources: ['configmaps'],
  };
  const one = (more: object): MatchingText => ({ resourceRules: [{ ...rule, ...more }] });
  const yes = (matching: MatchingText) => check(matching, MAPS, map, 'v1 v1');
  const no = (matching: MatchingText) => check(matching, MAPS, map, undefined);
  await yes({});
  await yes(one({}));
  await yes(one({ apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*/*'], scope: '*' }));
  await yes(one({ resources: ['configmaps/*'], resourceNames: ['m'], scope: 'Namespaced' }));
  await no(one({ operations: ['UPDATE', 'DELETE'] }));
  await no(one({ apiGroups: ['apps'] }));
  await no(one({ resources: ['configmaps/status', 'secrets'] }));
  await no(one({ resourceNames: ['n'] }));
  await no(one({ scope: 'Cluster' }));
  await no({ ...one({}), objectSelector: { matchLabels: { a: 'c' } } });
  await yes({ ...one({}), objectSelector: { matchLabels: { a: 'b' } } });
});

test('a Namespace is of the cluster and in itself; its labels are those that it will have', async () => {
  const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE' as const], resources: ['namespaces'] };
  const space = { metadata: { name: 'shop', labels: { tier: 'gold' } } };
  const ofGold = { namespaceSelector: { matchLabels: { tier: 'gold' } } };
  await check({ ...ofGold, resourceRules: [{ ...rule, scope: 'Cluster' }] }, '/api/v1/namespaces', space, 'v1 v1');
  await check({ resourceRules: [{ ...rule, scope: 'Namespaced' }] }, '/api/v1/namespaces', space, undefined);
});

test('a rule for one version of a kind is for the others too, unless it wants exactly that', async () => {
  const path = '/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers';
  const rule = {
    apiGroups: ['autoscaling'],
    apiVersions: ['v2'],
    operations: ['CREATE' as const],
    resources: ['horizontalpodautoscalers'],
  };
  const scaler = {
    metadata: { name: 'a' },
    spec: { maxReplicas: 3, scaleTargetRef: { kind: 'Deployment', name: 'web' } },
  };
  await check({ resourceRules: [rule] }, path, scaler, 'v2 v2');
  await check({ resourceRules: [rule], matchPolicy: 'Exact' }, path, scaler, undefined);
});
