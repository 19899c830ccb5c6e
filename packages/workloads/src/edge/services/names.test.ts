import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import type { Answer, RecordType } from 'dns-packet';
import fc from 'fast-check';
import { namesOf } from './names.ts';
import { HOST_IP, pod, service, slice, viewsOf, WEB } from './testing/world.ts';

const PORTS = [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' as const }];
const NAMES = namesOf(
  viewsOf({
    services: [
      WEB,
      service('named', { clusterIP: '10.96.7.2', selector: { app: 'web' }, ports: PORTS }),
      service('all', { clusterIP: 'None', selector: { app: 'web' }, ports: PORTS }),
      service('six', { clusterIP: 'None', ports: [] }),
      service('far', { type: 'ExternalName', externalName: 'www.example.org' }),
      service('near', { type: 'ExternalName', externalName: 'web.shop.svc.cluster.local' }),
      service(
        'kubernetes',
        { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443, protocol: 'TCP' }] },
        'default',
      ),
    ],
    slices: [slice('six', ['fd00::7'], 80)],
    pods: [
      pod('a', { ip: '10.1.0.2', hostname: 'web-0', subdomain: 'all' }),
      pod('b', { ip: '10.1.0.3' }),
      pod('c', { ip: '10.1.0.4', isReady: false }),
    ],
    api: { ip: HOST_IP, port: 4711 },
  }),
);

function show(record: Answer): string {
  if (record.type === 'SRV') return `${record.data.target}:${record.data.port}`;
  return `${record.type} ${String('data' in record ? record.data : '')}`;
}

/** What the name stands for, or why it stands for nothing. */
function check(
  name: string,
  type: RecordType,
  expected: string[] | 'no such name' | 'not ours',
  isFromHost = false,
): void {
  const reply = NAMES.lookUp(name, type, isFromHost);
  if (reply === undefined) assert.equal('not ours', expected);
  else if (reply.exists) assert.deepEqual(reply.answers.map(show).sort(), expected);
  else assert.equal('no such name', expected);
}

test('a Service stands for its address, whatever the letters’ case', () => {
  check('web.shop.svc.cluster.local', 'A', ['A 10.96.7.1']);
  check('WEB.Shop.svc.Cluster.Local', 'A', ['A 10.96.7.1']);
  check('web.shop.svc.cluster.local', 'AAAA', []);
  check('web.shop.svc.cluster.local', 'MX', []);
});

test('a headless Service stands for its ready pods, and those with a name have theirs below it', () => {
  check('all.shop.svc.cluster.local', 'A', ['A 10.1.0.2', 'A 10.1.0.3']);
  check('web-0.all.shop.svc.cluster.local', 'A', ['A 10.1.0.2']);
  check('10-1-0-3.all.shop.svc.cluster.local', 'A', ['A 10.1.0.3']);
  check('10-1-0-4.all.shop.svc.cluster.local', 'A', 'no such name');
  check('six.shop.svc.cluster.local', 'AAAA', ['AAAA fd00::7']);
  check('six.shop.svc.cluster.local', 'A', []);
});

test('a port by its name says where it is served', () => {
  check('_http._tcp.named.shop.svc.cluster.local', 'SRV', ['named.shop.svc.cluster.local:80']);
  check('_http._tcp.all.shop.svc.cluster.local', 'SRV', [
    '10-1-0-3.all.shop.svc.cluster.local:8080',
    'web-0.all.shop.svc.cluster.local:8080',
  ]);
  check('_http._udp.named.shop.svc.cluster.local', 'SRV', 'no such name');
  check('_http._tcp.named.shop.svc.cluster.local', 'A', []);
  check('_tcp.named.shop.svc.cluster.local', 'SRV', []);
  const { additionals } = NAMES.lookUp('_http._tcp.named.shop.svc.cluster.local', 'SRV') ?? { additionals: [] };
  assert.deepEqual(additionals.map(show), ['A 10.96.7.2']);
});

test('addresses lead back to names; the service network is ours, the rest of the world is not', () => {
  check('1.7.96.10.in-addr.arpa', 'PTR', ['PTR web.shop.svc.cluster.local']);
  check('2.0.1.10.in-addr.arpa', 'PTR', ['PTR web-0.all.shop.svc.cluster.local']);
  check('9.9.111.10.in-addr.arpa', 'PTR', 'no such name');
  check('9.9.112.10.in-addr.arpa', 'PTR', 'not ours');
  check('8.8.8.8.in-addr.arpa', 'PTR', 'not ours');
});

test('another name for something is an alias', () => {
  check('far.shop.svc.cluster.local', 'A', ['CNAME www.example.org']);
  assert.equal(NAMES.lookUp('far.shop.svc.cluster.local', 'A')?.outside, 'www.example.org');
});

test('what has something below it exists, what has not does not', () => {
  check('cluster.local', 'A', []);
  check('svc.cluster.local', 'A', []);
  check('shop.svc.cluster.local', 'A', []);
  check('nowhere.svc.cluster.local', 'A', 'no such name');
  check('none.shop.svc.cluster.local', 'A', 'no such name');
  check('a.b.c.web.shop.svc.cluster.local', 'A', 'no such name');
  check('example.org', 'A', 'not ours');
  check('notcluster.local', 'A', 'not ours');
});

test('a pod’s address is a name, too', () => {
  check('10-1-0-2.shop.pod.cluster.local', 'A', ['A 10.1.0.2']);
  check('10-1-0.shop.pod.cluster.local', 'A', 'no such name');
});

test('pods on the host’s network find the API at an address that no other node’s agent has', () => {
  check('kubernetes.default.svc.cluster.local', 'A', ['A 10.96.0.1']);
  check('kubernetes.default.svc.cluster.local', 'A', [`A ${HOST_IP}`], true);
});

const TYPES = ['A', 'AAAA', 'SRV', 'PTR', 'CNAME', 'TXT', 'SOA'] as const;

test('no name of whatever form makes it fail, and every answer is to the name that was asked for', () =>
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(fc.constantFrom('web', 'all', 'shop', 'svc', 'pod', '_tcp', 'cluster', 'local', ''), fc.string()),
        { maxLength: 8 },
      ),
      fc.constantFrom(...TYPES),
      (labels, type) => {
        const name = [...labels, 'cluster.local'].join('.');
        const reply = NAMES.lookUp(name, type);
        assert.ok(reply !== undefined);
        for (const { name: own, type: of } of reply.answers) assert.ok(own === name || of === 'SOA');
        assert.ok(reply.exists || reply.answers.length === 0);
      },
    ),
    { numRuns: runs(300) },
  ));
