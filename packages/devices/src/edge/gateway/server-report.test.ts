import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OpcUaServerStatus } from '../../resources/opcua-server.ts';
import { NO_FIGURES, type ServerReport, statusOf } from './server-report.ts';

const report = (more: Partial<ServerReport> = {}): ServerReport => ({
  endpoint: 'opc.tcp://edge-1:4840',
  applicationUri: 'urn:hall',
  certificateThumbprint: 'aa',
  figures: { ...NO_FIGURES, devices: 2, overflows: 1, changesPerSecond: 10 },
  rejectedCertificates: [],
  ...more,
});

function check(reports: readonly (ServerReport | undefined)[], expected: Partial<OpcUaServerStatus>): void {
  const status: Partial<OpcUaServerStatus> = statusOf(3, reports);
  const seen = Object.fromEntries(Object.entries(status).filter(([name]) => name in expected));
  assert.deepEqual(seen, expected);
}

test('one process is the server, and has no shards', () =>
  check([report()], {
    observedGeneration: 3,
    state: 'Serving',
    lastError: '',
    endpoint: 'opc.tcp://edge-1:4840',
    processes: 1,
    shards: [],
    overflows: 1,
  }));

test('of several the figures are added, and each says where it is', () =>
  check([report(), report({ endpoint: 'opc.tcp://edge-1:4841', applicationUri: 'urn:hall:2' })], {
    processes: 2,
    devices: 4,
    overflows: 2,
    changesPerSecond: 20,
    endpoint: 'opc.tcp://edge-1:4840',
    shards: [
      { endpoint: 'opc.tcp://edge-1:4840', applicationUri: 'urn:hall', certificateThumbprint: 'aa', devices: 2 },
      { endpoint: 'opc.tcp://edge-1:4841', applicationUri: 'urn:hall:2', certificateThumbprint: 'aa', devices: 2 },
    ],
  }));

test('it serves only when all of them do', () => {
  check([report(), undefined], { state: 'Pending', processes: 1, devices: 2 });
  const failed: ServerReport = { failure: 'the port is taken', figures: NO_FIGURES, rejectedCertificates: [] };
  check([report(), failed], { state: 'Failed', lastError: 'shard 2: the port is taken', processes: 1 });
  check([failed], { state: 'Failed', lastError: 'the port is taken', processes: 0 });
});

test('who was refused by several is shown once, the newest refusal first', () => {
  const rejected = (thumbprint: string, seenAt: string) => ({ thumbprint, seenAt });
  const [old, other, again] = [rejected('a', '2026-01-01'), rejected('b', '2026-01-02'), rejected('a', '2026-01-03')];
  check([report({ rejectedCertificates: [other, old] }), report({ rejectedCertificates: [again] })], {
    rejectedCertificates: [again, other],
  });
});
