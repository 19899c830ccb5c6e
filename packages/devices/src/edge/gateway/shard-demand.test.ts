import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OpcUaServer, OpcUaServerSpec } from '../../resources/opcua-server.ts';
import { CHANGES_PER_PROCESS, conditionsOf, PATIENCE_MS, ShardDemand, sharesOf } from './shard-demand.ts';

/** Looks at the load, at each time, and gives what is wanted. */
function check(
  steps: readonly (readonly [changes: number, shares: number, now: number])[],
  expected: readonly unknown[],
) {
  const demand = new ShardDemand();
  assert.deepEqual(
    steps.map(([changesPerSecond, shares, now]) => demand.wanted({ changesPerSecond, shares, now })),
    expected,
  );
}

const MANY = 2.5 * CHANGES_PER_PROCESS;

test('more changes than the processes can pass on, for long enough, want more of them', () => {
  check(
    [
      [MANY, 1, 0],
      [MANY, 1, PATIENCE_MS - 1],
      [MANY, 1, PATIENCE_MS],
    ],
    [undefined, undefined, 3],
  );
  check(
    [
      [MANY, 3, 0],
      [MANY, 3, PATIENCE_MS],
    ],
    [undefined, undefined],
  );
  check(
    [
      [1e9, 2, 0],
      [1e9, 2, PATIENCE_MS],
      [1e9, 16, PATIENCE_MS],
    ],
    [undefined, 16, undefined],
  );
});

test('a burst wants nothing, however often it comes', () =>
  check(
    [
      [MANY, 1, 0],
      [CHANGES_PER_PROCESS, 1, 10],
      [MANY, 1, PATIENCE_MS],
    ],
    [undefined, undefined, undefined],
  ));

function server(spec: OpcUaServerSpec, wantedShards?: number): OpcUaServer {
  const status = wantedShards === undefined ? {} : { status: { wantedShards } };
  return { apiVersion: 'devices.skerry.io/v1alpha1', kind: 'OpcUaServer', metadata: { name: 'gate' }, spec, ...status };
}

test('processes are those that are asked for, and more only where that is permitted', () => {
  assert.equal(sharesOf(server({})), 1);
  assert.equal(sharesOf(server({ shards: 3 })), 3);
  assert.equal(sharesOf(server({}, 4)), 1);
  assert.equal(sharesOf(server({ maxShards: 8 }, 4)), 4);
  assert.equal(sharesOf(server({ maxShards: 2 }, 4)), 2);
  assert.equal(sharesOf(server({ shards: 3, maxShards: 2 }, 4)), 3);
});

test('the condition proposes the number to a person, or says that they are started', () => {
  const said = (spec: OpcUaServerSpec, wanted?: number) => {
    const [condition] = conditionsOf(server(spec), wanted, '2026-01-01T00:00:00Z');
    return [condition?.status, condition?.message];
  };
  assert.deepEqual(said({}), ['True', '']);
  assert.match(String(said({}, 3)), /^False,.*1 processes: spec.shards or spec.maxShards of 3 would/);
  assert.match(String(said({ maxShards: 3 }, 3)), /^False,.*: 3 are started/);
  assert.match(String(said({ maxShards: 2 }, 3)), /^False,.*of 3 would/);
});

test('a condition that stays as it is keeps its time, and leaves others alone', () => {
  const other = {
    type: 'Other',
    status: 'True' as const,
    reason: 'R',
    message: '',
    lastTransitionTime: '2025-01-01T00:00:00Z',
  };
  const before = conditionsOf(server({}), undefined, '2026-01-01T00:00:00Z');
  const known: OpcUaServer = { ...server({}), status: { conditions: [other, ...before] } };
  assert.deepEqual(conditionsOf(known, undefined, '2026-02-02T00:00:00Z'), [other, ...before]);
  assert.equal(conditionsOf(known, 2, '2026-02-02T00:00:00Z')[1]?.lastTransitionTime, '2026-02-02T00:00:00Z');
});
