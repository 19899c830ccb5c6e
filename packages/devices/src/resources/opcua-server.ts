/** OpcUaServer: an OPC UA server at a node whose address space follows the Device objects. */
import type { KubeObject } from '@skerry/api';
import {
  choice,
  conditions,
  definition,
  flag,
  integer,
  list,
  listBy,
  mapOf,
  nameOf,
  number,
  object,
  placedStatus,
  placement,
  text,
} from '@skerry/api/definitions';
import type { Placement } from './device.ts';
import type { Condition } from './device-status.ts';
import { OPCUA_SERVERS, TRUST_LISTS } from './group.ts';
import { certificateSecretName, hostnames, listening, login, type SecretKey, servingState } from './serving.ts';
import { type RejectedCertificate, rejectedCertificates } from './trust-list.ts';

export interface OpcUaServer extends KubeObject {
  readonly spec: OpcUaServerSpec;
  readonly status?: OpcUaServerStatus;
}

export type SecurityPolicy = 'None' | 'Basic256Sha256' | 'Aes128_Sha256_RsaOaep' | 'Aes256_Sha256_RsaPss';
export type SecurityMode = 'None' | 'Sign' | 'SignAndEncrypt';

export interface OpcUaServerSpec {
  readonly placement?: Placement;
  /** Processes that share the devices; one without it. */
  readonly shards?: number;
  /** As many processes as the changes need, up to so many; only `shards` without it. */
  readonly maxShards?: number;
  readonly listen?: { readonly address?: string; readonly port?: number };
  readonly hostnames?: readonly string[];
  /** Labels of the devices of this namespace that it shows; all without it. */
  readonly devices?: { readonly matchLabels?: Readonly<Record<string, string>> };
  readonly applicationUri?: string;
  readonly namespaceUri?: string;
  readonly security?: {
    readonly policies?: readonly SecurityPolicy[];
    readonly modes?: readonly SecurityMode[];
    /** tls.crt and tls.key; from the site's identity without it. */
    readonly certificateSecretName?: string;
    readonly trustList?: string;
  };
  readonly authentication?: {
    readonly anonymous?: boolean;
    readonly users?: readonly OpcUaUser[];
    /** Certificates of users that the trust list accepts. */
    readonly certificates?: boolean;
    /** Of users that come with one. */
    readonly certificateRole?: OpcUaRole;
  };
  readonly limits?: OpcUaLimits;
}

export type OpcUaRole = 'Observer' | 'Operator' | 'Engineer';

export interface OpcUaUser {
  readonly name: string;
  readonly password: SecretKey;
  /** Observer reads, Operator writes too, Engineer also calls. */
  readonly role?: OpcUaRole;
}

export interface OpcUaLimits {
  readonly sessions?: number;
  readonly subscriptionsPerSession?: number;
  readonly monitoredItemsPerSubscription?: number;
  readonly queueSize?: number;
  readonly minSamplingIntervalMs?: number;
  readonly messageBytes?: number;
}

export interface OpcUaServerStatus {
  readonly nodes?: readonly string[];
  readonly observedGeneration?: number;
  readonly state?: 'Pending' | 'Serving' | 'Failed';
  readonly lastError?: string;
  readonly rejectedCertificates?: readonly RejectedCertificate[];
  readonly endpoint?: string;
  readonly certificateThumbprint?: string;
  readonly devices?: number;
  readonly variables?: number;
  readonly sessions?: number;
  readonly subscriptions?: number;
  readonly monitoredItems?: number;
  readonly overflows?: number;
  readonly loginsTurnedAway?: number;
  readonly changesPerSecond?: number;
  readonly processes?: number;
  readonly wantedShards?: number;
  readonly shards?: readonly OpcUaShard[];
  readonly conditions?: readonly Condition[];
}

export interface OpcUaShard {
  readonly endpoint?: string;
  readonly applicationUri?: string;
  readonly certificateThumbprint?: string;
  readonly devices?: number;
}

const role = choice(
  'Observer reads, Operator writes too, Engineer also calls.',
  ['Observer', 'Operator', 'Engineer'],
  'Observer',
);

const user = object(
  'One user.',
  {
    ...login,
    role,
  },
  ['name', 'password'],
);

/** Each is a process. */
export const MAX_SHARDS = 16;

const limit = (description: string, fallback: number, maximum: number) =>
  integer(description, { minimum: 1, maximum, default: fallback });

export const opcUaServerDefinition: KubeObject = definition({
  kind: 'OpcUaServer',
  gvr: OPCUA_SERVERS,
  shortNames: ['uasrv'],
  description: 'An OPC UA server at a node; its address space follows the devices that are there.',
  spec: object('The server.', {
    placement,
    listen: object('Where it listens.', listening(4840)),
    hostnames,
    devices: object('Which devices of this namespace it shows.', {
      matchLabels: mapOf('Labels that they must have; all devices without it.', { type: 'string', maxLength: 63 }, 64),
    }),
    shards: integer(
      'Processes that share the devices, each a server of its own: the first at the port, the others at those that follow.',
      { minimum: 1, maximum: MAX_SHARDS, default: 1 },
    ),
    maxShards: integer(
      'Above 10,000 changes/s a process, as many are started as are needed, up to so many; devices then move to their ports.',
      { minimum: 1, maximum: MAX_SHARDS },
    ),
    applicationUri: text('Application URI; made of namespace and name without it.'),
    namespaceUri: text('URI of the namespace of its nodes.'),
    security: object('How connections are secured.', {
      policies: {
        ...list(
          'Policies that are offered. None must be named, and is offered to nobody else.',
          choice('One policy.', ['None', 'Basic256Sha256', 'Aes128_Sha256_RsaOaep', 'Aes256_Sha256_RsaPss']),
          4,
        ),
        default: ['Basic256Sha256', 'Aes128_Sha256_RsaOaep', 'Aes256_Sha256_RsaPss'],
      },
      modes: {
        ...list('Modes that are offered.', choice('One mode.', ['None', 'Sign', 'SignAndEncrypt']), 3),
        default: ['SignAndEncrypt'],
      },
      certificateSecretName,
      trustList: nameOf('TrustList of clients; without it no client certificate is accepted.'),
    }),
    authentication: object('Who may come.', {
      anonymous: flag('Anybody may read.', { default: false }),
      users: listBy('name', 'Users with passwords.', user, 256),
      certificates: flag('Users with certificates that the trust list accepts.', { default: false }),
      certificateRole: role,
    }),
    limits: object('What it does not go beyond.', {
      sessions: limit('Sessions.', 50, 1000),
      subscriptionsPerSession: limit('Subscriptions of a session.', 50, 1000),
      monitoredItemsPerSubscription: limit('Items of a subscription.', 20_000, 100_000),
      queueSize: limit('Values that wait for one item.', 1000, 5000),
      messageBytes: integer('Bytes of one message.', {
        minimum: 65_536,
        maximum: 256 * 1024 * 1024,
        default: 16 * 1024 * 1024,
      }),
      minSamplingIntervalMs: integer(
        'Clients get no shorter sampling interval; with 0, whoever asks for 0 is told of every change.',
        { minimum: 0, maximum: 60_000, default: 0 },
      ),
    }),
  }),
  status: object('How it is.', {
    ...placedStatus,
    state: servingState,
    endpoint: text('Where clients reach it.'),
    certificateThumbprint: text('SHA-256 of its certificate.', { maxLength: 128 }),
    devices: integer('Devices that it shows.'),
    variables: integer('Variables that it shows.'),
    sessions: integer('Sessions now.'),
    subscriptions: integer('Subscriptions now.'),
    monitoredItems: integer('Items now.'),
    overflows: integer('Values that clients lost because a queue was full.'),
    loginsTurnedAway: integer('Logins that were not tried, because too many before them had failed.'),
    changesPerSecond: number('Values that changed, over the last ten seconds.'),
    processes: integer('Processes that serve.'),
    wantedShards: integer(
      'Processes that the changes have needed; in force up to spec.maxShards, also when they become fewer.',
    ),
    shards: list(
      'Those processes, where there are several; the first is also found at endpoint.',
      object('One process.', {
        endpoint: text('Where clients reach it.'),
        applicationUri: text('Who it says that it is.'),
        certificateThumbprint: text('SHA-256 of its certificate.', { maxLength: 128 }),
        devices: integer('Devices that it shows.'),
      }),
      MAX_SHARDS,
    ),
    rejectedCertificates,
    conditions,
  }),
  columns: [
    { name: 'Endpoint', path: '.status.endpoint' },
    { name: 'State', path: '.status.state' },
    { name: 'Devices', path: '.status.devices', type: 'integer' },
    { name: 'Sessions', path: '.status.sessions', type: 'integer' },
  ],
  relations: [
    {
      to: { group: '', version: 'v1', resource: 'secrets' },
      namePaths: ['spec.security.certificateSecretName', 'spec.authentication.users[].password.name'],
    },
    { to: TRUST_LISTS, namePaths: ['spec.security.trustList'] },
  ],
});
