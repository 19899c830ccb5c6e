/** MqttBroker: the site's own MQTT broker at a node. */
import type { KubeObject } from '@skerry/api';
import {
  choice,
  conditions,
  definition,
  flag,
  integer,
  list,
  listBy,
  nameOf,
  number,
  object,
  placedStatus,
  placement,
  text,
} from '@skerry/api/definitions';
import type { Placement } from './device.ts';
import { MQTT_BROKERS, TRUST_LISTS } from './group.ts';
import { certificateSecretName, hostnames, listening, login, type SecretKey, servingState } from './serving.ts';
import { type RejectedCertificate, rejectedCertificates } from './trust-list.ts';

export interface MqttBroker extends KubeObject {
  readonly spec: MqttBrokerSpec;
  readonly status?: MqttBrokerStatus;
}

export interface MqttBrokerSpec {
  readonly placement?: Placement;
  readonly listeners?: readonly MqttListener[];
  readonly anonymous?: boolean;
  readonly users?: readonly MqttUser[];
  readonly persistence?: { readonly enabled?: boolean; readonly maxBytes?: number };
  readonly limits?: MqttLimits;
}

export interface MqttListener {
  readonly name: string;
  readonly address?: string;
  readonly port?: number;
  /** For the certificate of the site's identity. */
  readonly hostnames?: readonly string[];
  /** Plain must be named. */
  readonly security?: 'Tls' | 'Plain';
  /** tls.crt and tls.key; from the site's identity without it. */
  readonly certificateSecretName?: string;
  /** Client certificates are demanded, and this list decides about them; the subject's CN is the user name. */
  readonly trustList?: string;
}

export interface MqttUser {
  readonly name: string;
  /** Absent for users that come with a certificate. */
  readonly password?: SecretKey;
  /** Topic filters; %u stands for the user name, %c for the client id. */
  readonly publish?: readonly string[];
  readonly subscribe?: readonly string[];
}

export interface MqttLimits {
  readonly clients?: number;
  readonly messageBytes?: number;
  readonly queuedMessagesPerClient?: number;
  readonly messagesPerSecondPerClient?: number;
  readonly subscriptionsPerClient?: number;
  readonly inflightPerClient?: number;
  readonly keepaliveSeconds?: number;
}

export interface MqttBrokerStatus {
  readonly nodes?: readonly string[];
  readonly observedGeneration?: number;
  readonly state?: 'Pending' | 'Serving' | 'Failed';
  readonly lastError?: string;
  readonly rejectedCertificates?: readonly RejectedCertificate[];
  /** PEM; for listeners that name no Secret. */
  readonly authority?: string;
  readonly endpoints?: readonly string[];
  readonly clients?: number;
  readonly messagesPerSecond?: number;
  readonly dropped?: number;
  readonly refused?: number;
  readonly loginsTurnedAway?: number;
}

const filters = (what: string) => list(what, text('One topic filter.', { maxLength: 1024, minLength: 1 }), 256);

const listener = object(
  'One listener.',
  {
    name: text('Name.', { maxLength: 63, minLength: 1 }),
    ...listening(8883),
    hostnames,
    security: choice('Plain must be asked for.', ['Tls', 'Plain'], 'Tls'),
    certificateSecretName,
    trustList: nameOf('TrustList that decides about client certificates, which are then demanded.'),
  },
  ['name'],
);

const user = object(
  'One user: a device or a program.',
  {
    ...login,
    publish: filters('Topics it may publish to; %u is the user name, %c the client id.'),
    subscribe: filters('Topics it may subscribe to.'),
  },
  ['name'],
);

export const mqttBrokerDefinition: KubeObject = definition({
  kind: 'MqttBroker',
  gvr: MQTT_BROKERS,
  description: 'The site’s own MQTT broker at a node.',
  spec: object('The broker.', {
    placement,
    listeners: listBy('name', 'Where it listens; nowhere without it.', listener, 16),
    anonymous: flag('Clients without a name may come.', { default: false }),
    users: listBy('name', 'Who may come, and what they may do.', user, 10_000),
    persistence: object('What is kept for clients that are away.', {
      enabled: flag('Sessions, queued and retained messages are on disk.', { default: true }),
      maxBytes: integer('Of queued and retained messages; beyond it no more are kept.', {
        minimum: 1_048_576,
        default: 268_435_456,
      }),
    }),
    limits: object('What it does not go beyond.', {
      clients: integer('Connections.', { minimum: 1, maximum: 100_000, default: 10_000 }),
      messageBytes: integer('Size of a message.', { minimum: 128, maximum: 268_435_455, default: 1_048_576 }),
      queuedMessagesPerClient: integer('Messages that wait for one client.', {
        minimum: 1,
        maximum: 1_000_000,
        default: 10_000,
      }),
      subscriptionsPerClient: integer('Topic filters of one client.', { minimum: 1, maximum: 100_000, default: 1000 }),
      inflightPerClient: integer('Messages of quality 2 that one client has begun and not ended.', {
        minimum: 1,
        maximum: 65_535,
        default: 1000,
      }),
      keepaliveSeconds: integer('The longest silence that a client may ask for; any without it.', {
        minimum: 1,
        maximum: 65_535,
      }),
      messagesPerSecondPerClient: integer('Messages of one client; it is slowed down beyond it.', { minimum: 1 }),
    }),
  }),
  status: object('How it is.', {
    ...placedStatus,
    state: servingState,
    authority: text(
      'PEM of whoever issued the certificates of listeners that name no Secret: what their clients trust.',
      {
        maxLength: 32_768,
      },
    ),
    endpoints: list('Where clients reach it.', text('One address.'), 16),
    clients: integer('Clients now.'),
    messagesPerSecond: number('Messages that came in, over the last minute.'),
    dropped: integer('Messages that were lost because a queue was full.'),
    refused: integer('Connections and messages that were refused.'),
    loginsTurnedAway: integer('Logins that were not tried, because too many before them had failed.'),
    rejectedCertificates,
    conditions,
  }),
  columns: [
    { name: 'State', path: '.status.state' },
    { name: 'Clients', path: '.status.clients', type: 'integer' },
  ],
  relations: [
    {
      to: { group: '', version: 'v1', resource: 'secrets' },
      namePaths: ['spec.listeners[].certificateSecretName', 'spec.users[].password.name'],
    },
    { to: TRUST_LISTS, namePaths: ['spec.listeners[].trustList'] },
  ],
});
