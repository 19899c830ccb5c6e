import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseQuantity } from '../quantity.ts';
import { fieldValue, resourceValue } from './downward.ts';
import { environmentOf } from './environment.ts';
import { expand } from './expand.ts';
import { afterProbe, initialProbeState, type ProbeKind } from './probe-state.ts';
import { afterRestart, type RestartBackoff, restartAt } from './restart-backoff.ts';
import { statusPatch } from './status-patch.ts';
import type { Container, Pod, PodStatus } from './types.ts';

const POD: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'ns', uid: 'u', labels: { b: '2', a: '1"' }, annotations: { note: 'x\ny' } },
  spec: { nodeName: 'edge', serviceAccountName: 'sa', containers: [] },
};
const FACTS = { podIPs: ['10.0.0.1', 'fd00::1'], hostIPs: ['10.0.0.1'], allocatable: { cpu: '2', memory: '1Gi' } };

const checkExpand = (text: string, expected: string) =>
  assert.equal(
    expand(text, (name) => ({ A: 'one', B: '$(A)' })[name]),
    expected,
  );

test('known names are replaced once, the rest stays', () => {
  checkExpand('$(A) $(B) $(C)', 'one $(A) $(C)');
  checkExpand('$$(A) $$$(A)', '$(A) $one');
  checkExpand('$A $ $( $(A', '$A $ $( $(A');
});

test('Invariant: text without a dollar is left as it is', () => {
  fc.assert(
    fc.property(
      fc.string().filter((text) => !text.includes('$')),
      (text) => expand(text, () => 'x') === text,
    ),
  );
});

function checkField(fieldPath: string, expected: string | undefined): void {
  assert.equal(fieldValue({ fieldPath }, POD, FACTS), expected);
}

test('a pod may learn these fields of itself', () => {
  checkField('metadata.name', 'p');
  checkField("metadata.labels['b']", '2');
  checkField("metadata.labels['none']", '');
  checkField('metadata.labels', 'a="1\\""\nb="2"');
  checkField('metadata.annotations', 'note="x\\ny"');
  checkField('spec.serviceAccountName', 'sa');
  checkField('status.podIPs', '10.0.0.1,fd00::1');
  checkField('spec.tolerations', undefined);
});

test('resources are told in the unit asked for, and without a limit as what the node has', () => {
  const container: Container = { name: 'c', resources: { limits: { memory: '64Mi' }, requests: { cpu: '250m' } } };
  const told = (resource: string, divisor?: string) =>
    resourceValue({ resource, ...(divisor === undefined ? {} : { divisor }) }, POD, container, FACTS);
  assert.equal(told('limits.memory'), String(64 * 2 ** 20));
  assert.equal(told('limits.memory', '1Mi'), '64');
  assert.equal(told('requests.cpu', '1m'), '250');
  assert.equal(told('requests.cpu'), '1');
  assert.equal(told('limits.cpu'), '2');
  assert.equal(told('nonsense'), undefined);
});

test('quantities are numbers', () => {
  const cases: [string, number | undefined][] = [
    ['1', 1],
    ['100m', 0.1],
    ['1Ki', 1024],
    ['1.5Gi', 1.5 * 2 ** 30],
    ['2e3', 2000],
    ['1E', 1e18],
    ['x', undefined],
    ['1 Mi', undefined],
  ];
  for (const [text, expected] of cases) assert.equal(parseQuantity(text), expected, text);
});

test('services of the namespace are in the environment unless they are not wanted', async () => {
  const services = [{ name: 'my-db', clusterIP: '10.96.0.9', ports: [{ name: 'pg', port: 5432 }] }];
  const of = (enableServiceLinks: boolean) =>
    environmentOf({
      readFile: async () => undefined,
      pod: { ...POD, spec: { ...POD.spec, enableServiceLinks } },
      container: { name: 'c' },
      facts: FACTS,
      services,
      read: async () => undefined,
    });
  assert.deepEqual(await of(true), {
    MY_DB_SERVICE_HOST: '10.96.0.9',
    MY_DB_SERVICE_PORT: '5432',
    MY_DB_SERVICE_PORT_PG: '5432',
    MY_DB_PORT: 'tcp://10.96.0.9:5432',
    MY_DB_PORT_5432_TCP: 'tcp://10.96.0.9:5432',
    MY_DB_PORT_5432_TCP_PROTO: 'tcp',
    MY_DB_PORT_5432_TCP_PORT: '5432',
    MY_DB_PORT_5432_TCP_ADDR: '10.96.0.9',
  });
  assert.deepEqual(await of(false), {});
});

function checkProbe(kind: ProbeKind, probe: object, results: string, verdicts: string): void {
  let state = initialProbeState(kind);
  const seen = Array.from(results, (letter) => {
    state = afterProbe(state, letter === '+' ? 'success' : 'failure', probe);
    return { success: '+', failure: '-', unknown: '?' }[state.verdict];
  });
  assert.equal(seen.join(''), verdicts);
}

test('thresholds count results in a row', () => {
  checkProbe('liveness', { failureThreshold: 3 }, '--+---', '+++++-');
  checkProbe('readiness', { successThreshold: 2, failureThreshold: 1 }, '+-++-', '---+-');
  checkProbe('startup', { failureThreshold: 2 }, '-+', '?+');
  checkProbe('startup', { failureThreshold: 2 }, '--', '?-');
});

test('restarts are at once, then 10 s, doubling to 5 min after the end', () => {
  let backoff: RestartBackoff | undefined;
  let now = 0;
  const waits: number[] = [];
  for (let restart = 0; restart < 8; restart++) {
    const at = restartAt(backoff, now);
    waits.push((at - now) / 1000);
    backoff = afterRestart(backoff, now, at);
    now = at;
  }
  assert.deepEqual(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
  assert.equal(restartAt(backoff, now + 600_001), now + 600_001);
});

function checkPatch(current: PodStatus | undefined, wanted: PodStatus, expected: object | undefined): void {
  const patch = statusPatch(current, wanted, 'u') as { status: object } | undefined;
  assert.deepEqual(patch?.status, expected);
}

test('only what differs is written, and what others own is left alone', () => {
  const ready = { type: 'Ready', status: 'True' } as const;
  checkPatch(undefined, { phase: 'Running' }, { phase: 'Running' });
  checkPatch({ phase: 'Running', qosClass: 'Burstable' }, { phase: 'Running' }, undefined);
  checkPatch({ phase: 'Failed', reason: 'Evicted' }, { phase: 'Running' }, { phase: 'Running', reason: null });
  checkPatch(
    { conditions: [{ type: 'PodScheduled', status: 'True' }] },
    { conditions: [ready] },
    { conditions: [ready] },
  );
  const pending = { type: 'PodResizePending', status: 'True' } as const;
  checkPatch({ conditions: [pending] }, { conditions: [] }, { conditions: [{ type: pending.type, $patch: 'delete' }] });
  checkPatch({ conditions: [pending] }, { conditions: [pending] }, undefined);
  checkPatch({ conditions: [{ ...ready, lastProbeTime: null }] }, { conditions: [ready] }, undefined);
  checkPatch(
    { conditions: [{ ...ready, status: 'False', reason: 'ContainersNotReady' }] },
    { conditions: [ready] },
    { conditions: [{ ...ready, reason: null }] },
  );
  checkPatch({ podIPs: [{ ip: '1' }] }, { podIPs: [{ ip: '2' }] }, { podIPs: [{ ip: '2' }, { $patch: 'replace' }] });
});
