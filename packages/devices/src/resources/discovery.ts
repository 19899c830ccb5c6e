/** DeviceDiscovery looks where it is told to, DeviceProposal is what it found. Nothing is bound without a yes. */
import type { KubeObject } from '@skerry/api';
import {
  choice,
  definition,
  duration,
  integer,
  list,
  mapOf,
  nameOf,
  object,
  open,
  placedStatus,
  placement,
  text,
  time,
} from '@skerry/api/definitions';
import { type Connection, connection, connectionRelations, type DeviceSpec, type Placement } from './device.ts';
import { DEVICE_DISCOVERIES, DEVICE_PROPOSALS } from './group.ts';

export interface DeviceDiscovery extends KubeObject {
  readonly spec: DeviceDiscoverySpec;
  readonly status?: DeviceDiscoveryStatus;
}

export interface DeviceDiscoverySpec {
  readonly placement?: Placement;
  readonly protocol: string;
  readonly connection?: Connection;
  /** What may be scanned, in the protocol's own terms. */
  readonly scan?: Readonly<Record<string, unknown>>;
  /** Once, without it. */
  readonly interval?: string;
  readonly timeout?: string;
  readonly maxProposals?: number;
  readonly approval?: { readonly policy?: 'Manual' | 'Automatic'; readonly models?: readonly string[] };
  /** Labels of the devices that are made of proposals. */
  readonly labels?: Readonly<Record<string, string>>;
}

export interface DeviceDiscoveryStatus {
  readonly nodes?: readonly string[];
  readonly observedGeneration?: number;
  readonly phase?: 'Pending' | 'Scanning' | 'Done' | 'Failed';
  readonly startedAt?: string;
  readonly finishedAt?: string;
  readonly found?: number;
  readonly lastError?: string;
}

/** Made by the node; a person's or a policy's yes makes a Device of it. */
export interface DeviceProposal extends KubeObject {
  readonly spec: DeviceProposalSpec;
  /** Written by the cloud. */
  readonly status?: { readonly device?: string; readonly lastError?: string };
}

export interface DeviceProposalSpec {
  readonly discovery: string;
  readonly node: string;
  readonly protocol: string;
  /** The same thing found again has the same. */
  readonly fingerprint: string;
  readonly description?: string;
  readonly foundAt?: string;
  /** The spec of the Device that is proposed. */
  readonly device: DeviceSpec;
  /** A model for it, where none fits. */
  readonly model?: Readonly<Record<string, unknown>>;
  /** A name for the Device; that of the proposal without it. */
  readonly deviceName?: string;
  /** A person's, never the node's. */
  readonly decision?: 'Accepted' | 'Rejected';
}

/** On a Device: the fingerprint of the proposal it was made of, so that it is not proposed again. */
export const FINGERPRINT_ANNOTATION = 'devices.skerry.io/fingerprint';

export const deviceDiscoveryDefinition: KubeObject = definition({
  kind: 'DeviceDiscovery',
  gvr: DEVICE_DISCOVERIES,
  shortNames: ['ddisc'],
  description: 'Looks for devices where it is permitted, and proposes what it finds.',
  spec: object(
    'Where to look.',
    {
      placement,
      protocol: text('Name of the driver that looks.', { pattern: '^[a-z]([-a-z0-9]*[a-z0-9])?$', maxLength: 63 }),
      connection,
      scan: open('What may be scanned, in the protocol’s own terms: unit ids, topics, where in an address space.'),
      interval: duration('Looks again after so long; once when absent.'),
      timeout: duration('How long it may look.', { default: '60s' }),
      maxProposals: integer('It stops when it has found so many.', { minimum: 1, maximum: 10_000, default: 100 }),
      approval: object('Who says yes.', {
        policy: choice('A person, or this discovery by itself.', ['Manual', 'Automatic'], 'Manual'),
        models: list('Automatic only for devices of these models.', nameOf('Name of a DeviceModel.'), 256),
      }),
      labels: mapOf('Labels of the devices that are made of its proposals.', { type: 'string', maxLength: 63 }, 64),
    },
    ['protocol'],
  ),
  status: object('How far it is.', {
    ...placedStatus,
    phase: choice('What it does.', ['Pending', 'Scanning', 'Done', 'Failed']),
    startedAt: time('When it began.'),
    finishedAt: time('When it ended.'),
    found: integer('How many devices it found.'),
  }),
  columns: [
    { name: 'Protocol', path: '.spec.protocol' },
    { name: 'Phase', path: '.status.phase' },
    { name: 'Found', path: '.status.found', type: 'integer' },
  ],
  relations: connectionRelations,
});

export const deviceProposalDefinition: KubeObject = definition({
  kind: 'DeviceProposal',
  gvr: DEVICE_PROPOSALS,
  shortNames: ['dprop'],
  description: 'A device that a discovery found. Made by the node; approving it makes the Device.',
  spec: object(
    'What was found.',
    {
      discovery: nameOf('The DeviceDiscovery that found it.'),
      node: text('The node that found it.', { maxLength: 253 }),
      protocol: text('The driver that found it.', { maxLength: 63 }),
      fingerprint: text('The same thing found again has the same.', { maxLength: 128 }),
      description: text('What it says of itself.', { maxLength: 4096 }),
      foundAt: time('When it was found.'),
      device: open('The spec of the Device that is proposed.'),
      model: open('The spec of a DeviceModel for it, where none fits.'),
      deviceName: nameOf('A name for the Device; that of the proposal without it.'),
      decision: choice('A person’s yes or no. What is rejected is not proposed again.', ['Accepted', 'Rejected']),
    },
    ['discovery', 'node', 'protocol', 'fingerprint', 'device'],
  ),
  status: object('What came of it.', {
    device: nameOf('The Device that was made of it.'),
    lastError: text('Why none could be made.', { maxLength: 4096 }),
  }),
  columns: [
    { name: 'Discovery', path: '.spec.discovery' },
    { name: 'Protocol', path: '.spec.protocol' },
    { name: 'Node', path: '.spec.node' },
    { name: 'Decision', path: '.spec.decision' },
    { name: 'Device', path: '.status.device' },
    { name: 'Description', path: '.spec.description' },
  ],
  isMadeAtEdge: true,
});
