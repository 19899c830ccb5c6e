/** An MqttBroker with everything fetched that it names. */
import type { Client } from '@skerry/kube/client';
import type { MqttBroker, MqttBrokerSpec, MqttListener } from '../../resources/mqtt-broker.ts';
import type { DeviceSettings } from '../driver.ts';
import { DriverError } from '../driver-error.ts';
import { resolveSettings } from '../worker/settings.ts';
import { namesOf, type SiteCertificates } from '../worker/site-certificates.ts';
import type { BrokerConfig, BrokerLimits, BrokerListener, BrokerTls, BrokerUser } from './config.ts';

export interface BrokerContext {
  readonly client: Client;
  readonly certificates: SiteCertificates;
}

/** Rejects with a DriverError that says what is missing: it may come later. */
export async function resolveBroker(
  { client, certificates }: BrokerContext,
  broker: MqttBroker,
  signal: AbortSignal,
): Promise<BrokerConfig> {
  const { namespace = '', name = '', uid = '' } = broker.metadata;
  const { listeners = [], users = [], anonymous = false, persistence = {} } = broker.spec;
  const named = namedObjects(client, namespace, signal);
  return {
    namespace,
    name,
    uid,
    isAnonymousAllowed: anonymous,
    isKept: persistence.enabled ?? true,
    listeners: await Promise.all(listeners.map((listener) => resolveListener(listener, named, certificates))),
    users: await Promise.all(users.map((user) => resolveUser(user, named))),
    limits: limitsOf(broker.spec),
  };
}

type Named = (names: { readonly secretName?: string; readonly trustList?: string }) => Promise<DeviceSettings>;

/** Each is asked for once. */
function namedObjects(client: Client, namespace: string, signal: AbortSignal): Named {
  const known = new Map<string, Promise<DeviceSettings>>();
  return (names) => {
    const key = JSON.stringify(names);
    const before = known.get(key);
    if (before !== undefined) return before;
    const connection = {
      endpoint: '',
      timeoutMs: 0,
      retries: 0,
      reconnect: { baseMs: 0, capMs: 0 },
      options: {},
      ...names,
    };
    const asked = resolveSettings(client, { namespace, name: '', connection }, signal);
    known.set(key, asked);
    return asked;
  };
}

async function resolveListener(
  listener: MqttListener,
  named: Named,
  certificates: SiteCertificates,
): Promise<BrokerListener> {
  const { name, address = '127.0.0.1', port = 8883, security = 'Tls', trustList } = listener;
  if (security === 'Plain') return { name, address, port };
  const pair = await keyPairFor(listener, named, certificates);
  const trust = trustList === undefined ? undefined : (await named({ trustList })).trust;
  return { name, address, port, tls: trust === undefined ? pair : { ...pair, trust } };
}

async function keyPairFor(
  { address = '127.0.0.1', hostnames = [], certificateSecretName: secretName }: MqttListener,
  named: Named,
  certificates: SiteCertificates,
): Promise<Omit<BrokerTls, 'trust'>> {
  if (secretName === undefined) return certificates.of(namesOf(address, hostnames));
  const { secret } = await named({ secretName });
  return { certificate: textIn(secret, 'tls.crt'), key: textIn(secret, 'tls.key') };
}

async function resolveUser(user: NonNullable<MqttBrokerSpec['users']>[number], named: Named): Promise<BrokerUser> {
  const { name, password, publish = [], subscribe = [] } = user;
  if (password === undefined) return { name, publish, subscribe };
  const { secret } = await named({ secretName: password.name });
  return { name, password: textIn(secret, password.key), publish, subscribe };
}

function textIn(secret: DeviceSettings['secret'], key: string): string {
  const bytes = secret[key];
  if (bytes === undefined) throw new DriverError('Misconfigured', `a Secret has no key ${key}`);
  return new TextDecoder().decode(bytes);
}

function limitsOf({ limits = {}, persistence = {} }: MqttBrokerSpec): BrokerLimits {
  const { messagesPerSecondPerClient, keepaliveSeconds } = limits;
  return {
    clients: limits.clients ?? 10_000,
    messageBytes: limits.messageBytes ?? 1_048_576,
    queuedMessagesPerClient: limits.queuedMessagesPerClient ?? 10_000,
    subscriptionsPerClient: limits.subscriptionsPerClient ?? 1000,
    inflightPerClient: limits.inflightPerClient ?? 1000,
    keptBytes: persistence.maxBytes ?? 268_435_456,
    ...(messagesPerSecondPerClient === undefined ? {} : { messagesPerSecondPerClient }),
    ...(keepaliveSeconds === undefined ? {} : { keepaliveSeconds }),
  };
}
