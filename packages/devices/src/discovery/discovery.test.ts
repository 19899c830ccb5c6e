import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkDeviceWrite } from '../cloud/admission.ts';
import type { FoundDevice } from '../edge/driver.ts';
import type { DeviceDiscovery, DeviceDiscoverySpec, DeviceProposal } from '../resources/discovery.ts';
import { decide } from './decide.ts';
import { proposalOf } from './propose.ts';

const FOUND: FoundDevice = {
  fingerprint: 'meter 7',
  name: 'Meter #7 (Hall 2)',
  description: 'a meter',
  endpoint: 'modbus+tcp://10.0.0.7:502',
  variables: [
    { address: { register: 1 }, name: 'Power', kind: 'Variable', type: 'float32', unit: 'W' },
    { address: { register: 3 }, name: '1st phase', kind: 'Variable', type: 'uint16', isWritable: true },
    { address: { register: 4 }, name: '1st-phase', kind: 'Variable', type: 'uint16' },
    { address: { register: 5 }, name: 'odd', kind: 'Variable', type: 'what' },
    { address: {}, name: 'Folder', kind: 'Folder' },
  ],
};

function discovery(spec: Partial<DeviceDiscoverySpec> = {}): DeviceDiscovery {
  return {
    apiVersion: 'devices.skerry.io/v1alpha1',
    kind: 'DeviceDiscovery',
    metadata: { name: 'hall', namespace: 'default' },
    spec: { protocol: 'modbus', connection: { secretName: 'login' }, ...spec },
    status: { nodes: ['edge-1'] },
  };
}

const proposed = (from = discovery(), node = 'edge-1') =>
  proposalOf({ discovery: from, node, found: FOUND, foundAt: '2026-01-01T00:00:00Z' });

const withSpec = (proposal: DeviceProposal, spec: Partial<DeviceProposal['spec']>): DeviceProposal => ({
  ...proposal,
  spec: { ...proposal.spec, ...spec },
});

test('what was found becomes a device and a model with valid, unique names', () => {
  const { metadata, spec } = proposed();
  assert.match(metadata.name ?? '', /^hall-[0-9a-f]{10}$/);
  assert.equal(spec.deviceName, 'meter-7-hall-2');
  assert.deepEqual(spec.model, {
    description: 'a meter',
    properties: [
      { name: 'Power', type: 'float32', unit: 'W' },
      { name: 'p_1st_phase', type: 'uint16', access: 'ReadWrite' },
      { name: 'p_1st_phase_2', type: 'uint16' },
    ],
  });
  assert.deepEqual(
    spec.device.visitors?.map(({ property }) => property),
    ['Power', 'p_1st_phase', 'p_1st_phase_2'],
  );
  assert.equal(spec.device.connection?.endpoint, 'modbus+tcp://10.0.0.7:502');
});

test('the same thing found again has the same name, and another one at another node', () => {
  assert.equal(proposed().metadata.name, proposed().metadata.name);
  assert.notEqual(proposed().metadata.name, proposed(discovery(), 'edge-2').metadata.name);
});

const outcome = (proposal: DeviceProposal, from: DeviceDiscovery | undefined, models: readonly string[] = []) =>
  decide(proposal, from, (name) => models.includes(name)).is;

test('nothing is bound without a yes, and a no or a device that was made is the end of it', () => {
  assert.equal(outcome(proposed(), discovery()), 'open');
  assert.equal(outcome(withSpec(proposed(), { decision: 'Accepted' }), discovery()), 'accepted');
  assert.equal(outcome(withSpec(proposed(), { decision: 'Rejected' }), discovery()), 'rejected');
  const done = { ...withSpec(proposed(), { decision: 'Accepted' }), status: { device: 'meter' } };
  assert.equal(outcome(done, discovery()), 'done');
});

test('a policy says yes for its own protocol, its own nodes and the models it names', () => {
  const automatic = discovery({ approval: { policy: 'Automatic' } });
  const { name } = proposed().spec.device.model;
  assert.equal(outcome(proposed(), automatic), 'accepted');
  assert.equal(outcome(proposed(automatic, 'edge-2'), automatic), 'open');
  assert.equal(outcome(withSpec(proposed(), { protocol: 'opcua' }), automatic), 'open');
  const named = discovery({ approval: { policy: 'Automatic', models: [name] } });
  assert.equal(outcome(proposed(), named), 'open');
  assert.equal(outcome(proposed(), named, [name]), 'accepted');
  assert.equal(outcome(proposed(), undefined), 'open');
});

test('the device is placed where it was found, and names no Secret that its discovery does not name', () => {
  const { device: honest } = proposed().spec;
  const greedy = withSpec(proposed(), {
    decision: 'Accepted',
    device: {
      ...honest,
      placement: { nodeName: 'edge-9' },
      connection: { ...honest.connection, secretName: 'of-somebody-else', trustList: 'other' },
    },
  });
  const decision = decide(greedy, discovery({ labels: { hall: '2' } }), () => true);
  assert.ok(decision.is === 'accepted');
  const { device, model } = decision;
  assert.deepEqual(device.spec.placement, { nodeName: 'edge-1' });
  assert.equal(device.spec.connection?.secretName, 'login');
  assert.equal(device.spec.connection?.trustList, undefined);
  assert.deepEqual(device.metadata.labels, { hall: '2' });
  assert.equal(model, undefined);
});

test('a node proposes for itself, and cannot accept what it proposes', () => {
  const check = (proposal: DeviceProposal, node: string | undefined) =>
    checkDeviceWrite(
      { operation: 'CREATE', kind: 'DeviceProposal', object: proposal, ...(node === undefined ? {} : { node }) },
      { model: () => undefined, models: () => [], devices: () => [], brokers: () => [], servers: () => [] },
    ).map(({ path }) => path);
  assert.deepEqual(check(proposed(), 'edge-1'), []);
  assert.deepEqual(check(proposed(), 'edge-2'), ['spec.node']);
  assert.deepEqual(check(withSpec(proposed(), { decision: 'Accepted' }), 'edge-1'), ['spec.decision']);
  assert.deepEqual(check(withSpec(proposed(), { decision: 'Accepted' }), undefined), []);
});
