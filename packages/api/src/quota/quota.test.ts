import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Container, Pod, ResourceQuota, ScopedResourceSelectorRequirement } from '../generated/types.ts';
import type { KubeObject } from '../object.ts';
import { formatAmounts, only, plus, total } from './amounts.ts';
import { exceeds, uncountable } from './check.ts';
import { podLimits, podRequests } from './pod-amounts.ts';
import { isInScope } from './scopes.ts';
import { countedNames, quotaUsage } from './usage.ts';

const NOW = Date.parse('2026-01-01T00:10:00Z');

function check(resource: string, object: object, expected: Record<string, string>): void {
  const given = { apiVersion: 'v1', kind: 'Any', metadata: { name: 'x' }, ...object };
  const { group, plural } = placeOf(resource);
  assert.deepEqual(formatAmounts(quotaUsage({ group, resource: plural }, given, NOW)), expected);
}

function placeOf(resource: string): { group: string; plural: string } {
  const [plural = '', ...group] = resource.split('.');
  return { group: group.join('.'), plural };
}

const container = (
  requests: Record<string, string>,
  limits: Record<string, string> = {},
  more: object = {},
): Container => ({
  name: 'c',
  resources: { requests, limits },
  ...more,
});

const pod = (spec: Partial<Pod['spec']>, more: object = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p' },
  spec: { containers: [], ...spec },
  ...more,
});

test('objects are counted under the name of their kind, some of the core group also under the plain one', () => {
  check('deployments.apps', {}, { 'count/deployments.apps': '1' });
  check('configmaps', {}, { 'count/configmaps': '1', configmaps: '1' });
  check('serviceaccounts', {}, { 'count/serviceaccounts': '1' });
});

test('services take of node ports and load balancers', () => {
  const ports = [{ port: 1 }, { port: 2, nodePort: 30_001 }];
  const taken = (services: string, nodePorts: string, balancers: string) => ({
    'count/services': '1',
    services,
    'services.nodeports': nodePorts,
    'services.loadbalancers': balancers,
  });
  check('services', { spec: { ports } }, taken('1', '0', '0'));
  check('services', { spec: { type: 'NodePort', ports } }, taken('1', '2', '0'));
  check('services', { spec: { type: 'LoadBalancer', ports } }, taken('1', '2', '1'));
  const few = { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false, ports };
  check('services', { spec: few }, taken('1', '1', '1'));
});

test('claims take of storage, and of that of their class', () => {
  const resources = { requests: { storage: '1Gi' } };
  const plain = { 'count/persistentvolumeclaims': '1', persistentvolumeclaims: '1', 'requests.storage': '1Gi' };
  check('persistentvolumeclaims', { spec: { resources } }, plain);
  check(
    'persistentvolumeclaims',
    { spec: { resources, storageClassName: 'gold' }, status: { allocatedResources: { storage: '2Gi' } } },
    {
      'count/persistentvolumeclaims': '1',
      persistentvolumeclaims: '1',
      'gold.storageclass.storage.k8s.io/persistentvolumeclaims': '1',
      'requests.storage': '2Gi',
      'gold.storageclass.storage.k8s.io/requests.storage': '2Gi',
    },
  );
});

test('pods take what they request and are limited to, until they end', () => {
  const spec = {
    containers: [
      container({ cpu: '500m', memory: '1Gi', 'example.com/dongle': '2' }, { cpu: '1', 'ephemeral-storage': '3Gi' }),
    ],
  };
  const taken = {
    'count/pods': '1',
    pods: '1',
    cpu: '500m',
    'requests.cpu': '500m',
    memory: '1Gi',
    'requests.memory': '1Gi',
    'requests.example.com/dongle': '2',
    'limits.cpu': '1',
    'limits.ephemeral-storage': '3Gi',
  };
  check('pods', { spec }, taken);
  check('pods', { spec, status: { phase: 'Succeeded' } }, { 'count/pods': '1' });
  const going = (deletionTimestamp: string) => ({
    metadata: { deletionTimestamp, deletionGracePeriodSeconds: 30 },
    spec,
  });
  check('pods', going('2026-01-01T00:09:45Z'), taken);
  check('pods', going('2026-01-01T00:09:00Z'), { 'count/pods': '1' });
});

test('a pod needs room for its largest moment, sidecars stay, overhead comes on top', () => {
  const sidecar = container({ cpu: '100m' }, { cpu: '200m' }, { restartPolicy: 'Always' });
  const init = container({ cpu: '2' });
  const given = pod({
    initContainers: [sidecar, init],
    containers: [container({ cpu: '1' }, { cpu: '1' })],
    overhead: { cpu: '50m', memory: '8Mi' },
  });
  assert.deepEqual(formatAmounts(podRequests(given)), { cpu: '2150m', memory: '8Mi' });
  assert.deepEqual(formatAmounts(podLimits(given)), { cpu: '1250m' });
  assert.deepEqual(formatAmounts(podRequests(pod({ ...given.spec, resources: { requests: { cpu: '3' } } }))), {
    cpu: '3050m',
    memory: '8Mi',
  });
});

test('what a kind takes of a quota is among the names of its usage', () =>
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          requests: fc.dictionary(fc.constantFrom('cpu', 'memory', 'example.com/d', 'hugepages-2Mi'), amount()),
          limits: fc.dictionary(fc.constantFrom('cpu', 'memory', 'ephemeral-storage'), amount()),
        }),
      ),
      (resources) => {
        const given = pod({ containers: resources.map((each) => container(each.requests, each.limits)) });
        const names = [...quotaUsage({ group: '', resource: 'pods' }, given, NOW).keys()];
        assert.deepEqual(countedNames({ group: '', resource: 'pods' }, names), names);
      },
    ),
  ));

test('sums of many are those of one after the other', () =>
  fc.assert(
    fc.property(fc.array(fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.nat(9))), (lists) => {
      const all = lists.map((list) => new Map(Object.entries(list).map(([name, value]) => [name, nano(value)])));
      const names = ['a', 'b'];
      const expected = all.reduce<ReturnType<typeof only>>((sum, each) => plus(sum, each), new Map());
      assert.deepEqual(formatAmounts(total(all, names)), formatAmounts(total([only(expected, names)], names)));
    }),
  ));

function nano(value: number) {
  return { nano: BigInt(value) * 1_000_000_000n, format: 'DecimalSI' } as const;
}

function amount() {
  return fc.nat(5000).map((value) => `${value}m`);
}

const quota = (spec: ResourceQuota['spec']): ResourceQuota => ({
  apiVersion: 'v1',
  kind: 'ResourceQuota',
  metadata: { name: 'q' },
  ...(spec === undefined ? {} : { spec }),
});

const PODS = { group: '', resource: 'pods' };

function checkScope(spec: ResourceQuota['spec'], object: KubeObject, expected: boolean, resource = 'pods'): void {
  assert.equal(isInScope(quota(spec), { group: '', resource }, object), expected);
}

test('scopes select pods by their deadline, their quality and their class', () => {
  const plain = pod({ containers: [container({})] });
  const ending = pod({ activeDeadlineSeconds: 0, containers: [container({ cpu: '1' })] });
  for (const [scope, ofPlain, ofEnding] of [
    ['Terminating', false, true],
    ['NotTerminating', true, false],
    ['BestEffort', true, false],
    ['NotBestEffort', false, true],
    ['CrossNamespacePodAffinity', false, false],
  ] as const) {
    checkScope({ scopes: [scope] }, plain, ofPlain);
    checkScope({ scopes: [scope] }, ending, ofEnding);
  }
  checkScope({ scopes: ['BestEffort', 'Terminating'] }, plain, false);
  const high = pod({ priorityClassName: 'high' });
  for (const [operator, values, ofHigh, ofNone] of [
    ['Exists', [], true, false],
    ['DoesNotExist', [], false, true],
    ['In', ['high', 'low'], true, false],
    ['NotIn', ['high'], false, true],
  ] as const) {
    const selector: ScopedResourceSelectorRequirement = { scopeName: 'PriorityClass', operator, values: [...values] };
    const scopeSelector = { matchExpressions: [selector] };
    checkScope({ scopeSelector }, high, ofHigh);
    checkScope({ scopeSelector }, plain, ofNone);
  }
  checkScope({ scopes: ['BestEffort'] }, plain, false, 'services');
  checkScope({}, plain, true, 'services');
});

test('what is too much is named, with what is taken and allowed', () => {
  const given = quota({ hard: { pods: '2', cpu: '1' } });
  const used = new Map([['pods', nano(2)]]);
  const requested = new Map([
    ['pods', nano(1)],
    ['cpu', nano(1)],
  ] as const);
  assert.equal(
    exceeds({ quota: given, used, requested }),
    'exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2',
  );
  assert.equal(exceeds({ quota: given, used, requested: only(requested, ['cpu']) }), undefined);
  const shrinking = new Map([['pods', nano(-1)]]);
  assert.equal(exceeds({ quota: given, used: new Map([['pods', nano(9)]]), requested: shrinking }), undefined);
});

test('a quota of cpu or memory wants every container to name them', () => {
  const given = pod({
    containers: [container({ cpu: '1' }), { name: 'b' }],
    initContainers: [{ name: 'a' }],
  });
  assert.equal(
    uncountable(quota({ hard: { 'requests.cpu': '1', 'limits.memory': '1', pods: '1' } }), PODS, given),
    'failed quota: q: must specify limits.memory for: a,b,c; requests.cpu for: a,b',
  );
  assert.equal(uncountable(quota({ hard: { 'ephemeral-storage': '1', pods: '1' } }), PODS, given), undefined);
});
