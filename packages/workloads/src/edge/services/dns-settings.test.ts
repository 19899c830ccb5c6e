import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pod, PodSpec } from '../pod/types.ts';
import { type DnsSettings, dnsSettingsOf, formatResolvConf, parseResolvConf } from './dns-settings.ts';

const HOST: DnsSettings = { servers: ['192.0.2.53'], searches: ['site.example'], options: ['timeout:1'] };
const SERVER = '169.254.100.1';
const CLUSTER_SEARCHES = ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'site.example'];

function check(
  spec: Partial<PodSpec>,
  expected: DnsSettings | undefined,
  clusterServer: string | undefined = SERVER,
): void {
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { containers: [], ...spec },
  };
  const sources = { host: HOST, ...(clusterServer === undefined ? {} : { clusterServer }) };
  assert.deepEqual(dnsSettingsOf(pod, sources), expected);
}

const OF_CLUSTER: DnsSettings = { servers: [SERVER], searches: CLUSTER_SEARCHES, options: ['ndots:5'] };

test('pods ask the cluster first', () => {
  check({}, OF_CLUSTER);
  check({ dnsPolicy: 'ClusterFirst' }, OF_CLUSTER);
  check({ dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true }, OF_CLUSTER);
});

test('what the host asks is left as it is', () => {
  check({ dnsPolicy: 'Default' }, undefined);
  check({ dnsPolicy: 'ClusterFirst', hostNetwork: true }, undefined);
});

test('a pod’s own settings are all there is, or come on top', () => {
  const dnsConfig = {
    nameservers: ['10.0.0.9', SERVER],
    searches: ['own.example'],
    options: [{ name: 'ndots', value: '2' }, { name: 'debug' }],
  };
  check(
    { dnsPolicy: 'None', dnsConfig },
    { servers: ['10.0.0.9', SERVER], searches: ['own.example'], options: ['ndots:2', 'debug'] },
  );
  check(
    { dnsConfig },
    { servers: [SERVER, '10.0.0.9'], searches: [...CLUSTER_SEARCHES, 'own.example'], options: ['ndots:2', 'debug'] },
  );
  check(
    { dnsPolicy: 'Default', dnsConfig: { searches: ['own.example'] } },
    { ...HOST, searches: ['site.example', 'own.example'] },
  );
  check({ dnsPolicy: 'None' }, { servers: [], searches: [], options: [] });
});

test('more than resolvers heed is left out', () => {
  const nameservers = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'];
  check(
    { dnsPolicy: 'None', dnsConfig: { nameservers } },
    { servers: nameservers.slice(0, 3), searches: [], options: [] },
  );
});

test('resolv.conf is read as resolvers read it, and what is written reads the same', () => {
  const text =
    '# made\nnameserver 192.0.2.53 ; first\nnameserver ::1\ndomain old.example\nsearch site.example b.example\noptions timeout:1 rotate\n';
  const settings = {
    servers: ['192.0.2.53', '::1'],
    searches: ['site.example', 'b.example'],
    options: ['timeout:1', 'rotate'],
  };
  assert.deepEqual(parseResolvConf(text), settings);
  assert.deepEqual(parseResolvConf(formatResolvConf(settings)), settings);
});

test('where cluster names are not answered, nobody is sent for them', () => {
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, spec: { containers: [] } };
  assert.equal(dnsSettingsOf(pod, { host: HOST }), undefined);
});
