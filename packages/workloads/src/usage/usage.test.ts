import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatusError } from '@skerry/api';
import { silentLogger } from '@skerry/base';
import { type NodeDialer, streamPair } from '@skerry/kube/streaming';
import { fakeClock } from '@skerry/testkit';
import fc from 'fast-check';
import { nodeUsage } from './node-usage.ts';
import { encodeReport, MAX_REPORT_BYTES, parseReport, type UsageReport } from './report.ts';

const REPORT: UsageReport = {
  at: 1_700_000_000_000,
  windowMs: 10_000,
  node: { cpuNanocores: 250_000_000, memoryBytes: 512 * 1024 },
  pods: [
    {
      namespace: 'default',
      name: 'web',
      containers: [{ name: 'main', cpuNanocores: 3_000, memoryBytes: 2048 }],
    },
  ],
};

const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);
const count = fc.nat(2 ** 31 - 1);
const used = fc.tuple(count, count).map(([cpu, kib]) => ({ cpuNanocores: cpu * 1000, memoryBytes: kib * 1024 }));
const containers = fc
  .dictionary(name, used)
  .map((byName) => Object.entries(byName).map(([name, use]) => ({ name, ...use })));
const report = fc
  .record({
    at: fc.nat(2 ** 31 - 1),
    windowMs: fc.nat(60_000),
    node: used,
    pods: fc.dictionary(
      fc.tuple(name, name).map((place) => place.join('/')),
      containers,
    ),
  })
  .map(({ pods, ...rest }) => ({
    ...rest,
    pods: Object.entries(pods).map(([place, containers]) => {
      const [namespace = '', name = ''] = place.split('/');
      return { namespace, name, containers };
    }),
  }));

const placed = ({ pods, ...rest }: UsageReport) => ({
  ...rest,
  pods: new Map(pods.map(({ namespace, name, containers }) => [`${namespace}/${name}`, containers])),
});

test('a report comes over the wire as it was', () => {
  fc.assert(
    fc.property(report, (given) => {
      const parsed = parseReport(encodeReport(given));
      assert.ok(parsed !== undefined);
      assert.deepEqual(placed(parsed), placed(given));
    }),
  );
});

test('whatever a node says is a report or nothing', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => assert.doesNotThrow(() => parseReport(text))));
  const wire = JSON.parse(encodeReport(REPORT));
  for (const broken of [
    { ...wire, at: -1 },
    { ...wire, window: 1.5 },
    { ...wire, node: [1] },
    { ...wire, node: [1, 1e300] },
    { ...wire, pods: null },
    { ...wire, pods: { default: { web: { main: [1, '2'] } } } },
    { ...wire, pods: { default: { web: null } } },
  ]) {
    assert.equal(parseReport(JSON.stringify(broken)), undefined, JSON.stringify(broken));
  }
});

const SILENCE = '';

/** A fleet whose nodes answer as told, and what it was asked. */
function fleet(answers: Readonly<Record<string, string | undefined>>) {
  const clock = fakeClock();
  const asked: string[] = [];
  const dialer: NodeDialer = {
    open: async (node, request) => {
      asked.push(node);
      assert.deepEqual(request, { kind: 'get', path: '/stats/usage' });
      const answer = answers[node];
      if (answer === undefined) throw new StatusError(503, 'ServiceUnavailable', 'not connected');
      const { opener, answerer } = streamPair();
      if (answer !== SILENCE)
        void answerer.send(Buffer.from(answer)).then(
          () => answerer.end(),
          () => {},
        );
      return opener;
    },
  };
  return { clock, asked, read: nodeUsage({ dialer, clock, log: silentLogger }) };
}

test('who asks while an answer is fresh shares it; later the node is asked anew', async () => {
  const { clock, asked, read } = fleet({ one: encodeReport(REPORT) });
  const [first, second] = await Promise.all([read(['one']), read(['one', 'one'])]);
  assert.deepEqual([first.get('one'), second.get('one')], [REPORT, REPORT]);
  await clock.advance(10_000);
  await read(['one']);
  assert.deepEqual(asked, ['one']);
  await clock.advance(1);
  await read(['one']);
  assert.deepEqual(asked, ['one', 'one']);
});

test('a node that is away, silent, or talks nonsense is left out, and holds up nobody for long', async () => {
  const huge = `"${'x'.repeat(MAX_REPORT_BYTES)}"`;
  const { clock, read } = fleet({ well: encodeReport(REPORT), quiet: SILENCE, mad: '{]', huge });
  const reading = read(['well', 'quiet', 'mad', 'huge', 'away']);
  await clock.advance(5000);
  assert.deepEqual([...(await reading).keys()], ['well']);
});

test('nothing waits and nothing is kept once the answers are stale', async () => {
  const { clock, read } = fleet({ one: encodeReport(REPORT) });
  await read(['one', 'away']);
  assert.equal(clock.pending, 0);
});
