import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { bucketsOf, formatChange, formatRuleset, planRules, type Rules } from './ruleset.ts';
import type { NodeWorld } from './service-view.ts';
import { staleFlows } from './stale-flows.ts';
import { HOST_IP, pod, service, slice, viewsOf, WEB } from './testing/world.ts';

/** Each entrance with its targets, in the kernel's words. */
function leads(rules: Rules): Record<string, string[]> {
  const targets = (exit: string) => (rules.exits.get(exit)?.targets ?? []).map(({ ip, port }) => `${ip}:${port}`);
  const tables = [rules.clusterIps, rules.externalIps, rules.nodePorts];
  return Object.fromEntries(tables.flatMap((table) => [...table].map(([entrance, exit]) => [entrance, targets(exit)])));
}

function check(world: Partial<NodeWorld>, expected: Record<string, string[]>): void {
  assert.deepEqual(leads(planRules(viewsOf(world))), expected);
}

test('a Service leads to its ready pods of this node, at the port that they serve', () =>
  check(
    {
      services: [WEB],
      pods: [
        pod('a', { ip: '10.1.0.2' }),
        pod('b', { ip: '10.1.0.3', isReady: false }),
        pod('c', { ip: '10.1.0.4', app: 'other' }),
        pod('d', { ip: '10.1.0.5', phase: 'Succeeded' }),
      ],
    },
    { '10.96.7.1 . tcp . 80': ['10.1.0.2:8080'] },
  ));

test('a slice that the cloud made from pods says nothing: the pods themselves are newer', () =>
  check({ services: [WEB], slices: [slice('web', ['10.1.0.9'], 8080)] }, {}));

test('endpoints that a person wrote down are led to wherever they are', () => {
  const plc = service('plc', { clusterIP: '10.96.7.2', ports: [{ port: 502, protocol: 'TCP' }] });
  check(
    { services: [plc], slices: [slice('plc', ['192.168.7.20'], 502)] },
    { '10.96.7.2 . tcp . 502': ['192.168.7.20:502'] },
  );
});

test('endpoints that a person wrote down lead to no loopback or link-local address', () => {
  const plc = service('plc', { clusterIP: '10.96.7.2', ports: [{ port: 502, protocol: 'TCP' }] });
  const ips = ['127.0.0.1', '169.254.169.254', '192.168.7.20'];
  check({ services: [plc], slices: [slice('plc', ips, 502)] }, { '10.96.7.2 . tcp . 502': ['192.168.7.20:502'] });
});

test('pods that are about to go serve on while there is no other', () => {
  const leaving = pod('a', { ip: '10.1.0.2', isLeaving: true });
  check({ services: [WEB], pods: [leaving] }, { '10.96.7.1 . tcp . 80': ['10.1.0.2:8080'] });
  check(
    { services: [WEB], pods: [leaving, pod('b', { ip: '10.1.0.3' })] },
    { '10.96.7.1 . tcp . 80': ['10.1.0.3:8080'] },
  );
});

test('ports by name, node ports, addresses of the host and other protocols each lead to what they mean', () =>
  check(
    {
      services: [
        service('dns', {
          type: 'NodePort',
          clusterIP: '10.96.7.3',
          externalIPs: ['192.168.7.1'],
          selector: { app: 'web' },
          ports: [
            { name: 'query', port: 53, targetPort: 'dns', protocol: 'UDP', nodePort: 30053 },
            { name: 'stats', port: 80, targetPort: 'http', protocol: 'TCP' },
          ],
        }),
      ],
      pods: [pod('a', { ip: '10.1.0.2', ports: { http: 9000 } })],
    },
    { '10.96.7.3 . tcp . 80': ['10.1.0.2:9000'], '192.168.7.1 . tcp . 80': ['10.1.0.2:9000'] },
  ));

test('a pod on the loopback address is reached where the host is', () =>
  check({ services: [WEB], pods: [pod('a', { ip: '127.0.0.1' })] }, { '10.96.7.1 . tcp . 80': [`${HOST_IP}:8080`] }));

test('the API is the node’s own, at the address of Service kubernetes and at one that is this node’s alone', () => {
  const ports = [{ name: 'https', port: 443, targetPort: 6443, protocol: 'TCP' as const }];
  const kubernetes = service('kubernetes', { clusterIP: '10.96.0.1', ports }, 'default');
  const there = [`${HOST_IP}:4711`];
  check(
    {
      services: [kubernetes],
      api: { ip: HOST_IP, port: 4711 },
      slices: [slice('kubernetes', ['10.0.0.1'], 6443, 'https')],
    },
    { '10.96.0.1 . tcp . 443': there, [`${HOST_IP} . tcp . 443`]: there },
  );
});

test('headless Services and other names need no rules; a Service without endpoints is known, so that it is refused', () => {
  const headless = service('all', {
    clusterIP: 'None',
    selector: { app: 'web' },
    ports: [{ port: 80, protocol: 'TCP' }],
  });
  const other = service('far', { type: 'ExternalName', externalName: 'example.org' });
  const rules = planRules(viewsOf({ services: [headless, other, WEB], pods: [] }));
  assert.deepEqual([leads(rules), rules.serviceIps], [{}, ['10.96.7.1']]);
});

test('names, addresses and ports that are none never reach nft', () => {
  const evil = service('x; flush ruleset', WEB.spec ?? {});
  const [port] = WEB.spec?.ports ?? [];
  const wrong = service('wrong', {
    ...WEB.spec,
    clusterIP: '10.96.7.9; drop',
    ports: port === undefined ? [] : [port],
  });
  const loose = service('loose', { clusterIP: '10.96.7.8', ports: [{ port: 80, protocol: 'TCP' }] });
  const slices = [slice('loose', ['1.2.3.4; accept', '10.1.0.2'], 70_000)];
  check({ services: [evil, wrong, loose], slices, pods: [pod('a', { ip: '10.1.0.2' })] }, {});
});

test('names that are answered at another port are found at the usual one', () => {
  assert.deepEqual(leads(planRules([], { ip: HOST_IP, port: 53 })), {});
  const there = [`${HOST_IP}:5300`];
  assert.deepEqual(leads(planRules([], { ip: HOST_IP, port: 5300 })), {
    [`${HOST_IP} . udp . 53`]: there,
    [`${HOST_IP} . tcp . 53`]: there,
  });
});

const FRAME = { table: 'skerry-test-1', address: HOST_IP, podIps: ['10.1.0.2'], seesBridged: true };

test('nothing changed is nothing said, and a change says only what differs', () => {
  const of = (...ips: string[]) => ({
    frame: FRAME,
    rules: planRules(viewsOf({ services: [WEB], pods: ips.map((ip) => pod(ip, { ip })) })),
  });
  assert.equal(formatChange(of('10.1.0.2'), of('10.1.0.2')), '');
  assert.deepEqual(formatChange(of('10.1.0.2'), of('10.1.0.2', '10.1.0.3')).trim().split('\n'), [
    'flush chain ip skerry-test-1 svc/shop/web/tcp/80',
    'add rule ip skerry-test-1 svc/shop/web/tcp/80 meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.1.0.2 . 8080, 1 : 10.1.0.3 . 8080 }',
  ]);
  assert.deepEqual(formatChange(of('10.1.0.2'), of()).trim().split('\n'), [
    'delete element ip skerry-test-1 cluster-ips { 10.96.7.1 . tcp . 80 : goto svc/shop/web/tcp/80 }',
    'delete chain ip skerry-test-1 svc/shop/web/tcp/80',
  ]);
});

test('a new table replaces the old one in one transaction and touches no other', () => {
  const text = formatRuleset(FRAME, planRules(viewsOf({ services: [WEB], pods: [pod('a', { ip: '10.1.0.2' })] })));
  const commands = text.split('\n').filter((line) => /^\S/.test(line) && line !== '}');
  assert.deepEqual(commands, [
    'add table ip skerry-test-1',
    'delete table ip skerry-test-1',
    'table ip skerry-test-1 {',
  ]);
});

const targets = fc.uniqueArray(fc.record({ ip: fc.ipV4(), port: fc.integer({ min: 1, max: 65_535 }) }), {
  minLength: 1,
  maxLength: 12,
  selector: ({ ip, port }) => `${ip}:${port}`,
});

test('sticky clients stay with their target when others come or go', () =>
  fc.assert(
    fc.property(targets, fc.nat(), (all, at) => {
      const [gone] = all.slice(at % all.length);
      const rest = all.filter((target) => target !== gone);
      if (rest.length === 0) return;
      const [before, after] = [bucketsOf(all), bucketsOf(rest)];
      before.forEach((target, bucket) => {
        if (target !== gone) assert.equal(after[bucket], target);
      });
    }),
    { numRuns: runs(100) },
  ));

test('sticky clients are spread: no target of four has more than half of them', () => {
  const four = [1, 2, 3, 4].map((last) => ({ ip: `10.1.0.${last}`, port: 8080 }));
  const counts = four.map((target) => bucketsOf(four).filter((one) => one === target).length);
  assert.ok(Math.max(...counts) < 64 && Math.min(...counts) > 8, counts.join());
});

test('flows of UDP are ended when their target went, or when there was none before', () => {
  const dns = (...ips: string[]) =>
    planRules(
      viewsOf({
        services: [
          service('dns', {
            clusterIP: '10.96.7.3',
            selector: { app: 'web' },
            ports: [{ port: 53, protocol: 'UDP', nodePort: 30053 }],
          }),
          WEB,
        ],
        pods: ips.map((ip) => pod(ip, { ip })),
      }),
    );
  assert.deepEqual(staleFlows(dns('10.1.0.2', '10.1.0.3'), dns('10.1.0.3')), [
    { ip: '10.96.7.3', port: 53, target: '10.1.0.2' },
    { port: 30053, target: '10.1.0.2' },
  ]);
  assert.deepEqual(staleFlows(dns(), dns('10.1.0.2')), [{ ip: '10.96.7.3', port: 53 }, { port: 30053 }]);
  assert.deepEqual(staleFlows(dns('10.1.0.2'), dns('10.1.0.2', '10.1.0.3')), []);
});
