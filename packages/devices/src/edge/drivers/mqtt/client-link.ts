/** A connection to a broker over TCP or TLS. Once it is lost it is over: connecting anew is the worker's business. */
import type { Duplex } from 'node:stream';
import { parseDuration } from '@skerry/api/durations';
import { type IClientOptions, MqttClient } from 'mqtt';
import type { DeviceSettings, DriverContext, Trust } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';
import { connectTcp } from '../../transport/tcp-stream.ts';
import { connectTls } from '../../transport/tls-stream.ts';
import type { Link, OnMessage, Outgoing, Qos } from './link.ts';

/** Rejects with a DriverError. */
export async function clientLink(
  settings: DeviceSettings,
  onMessage: OnMessage,
  context: DriverContext,
): Promise<Link> {
  // Before a word is said: our password is for nobody whom the TrustList does not know.
  const stream = await openStream(settings, context);
  const client = await connected(stream, settings, onMessage, context.signal);
  return new ClientLink(client, settings);
}

function connected(
  stream: Duplex,
  settings: DeviceSettings,
  onMessage: OnMessage,
  signal: AbortSignal,
): Promise<MqttClient> {
  const { promise, resolve, reject } = Promise.withResolvers<MqttClient>();
  const giveUp = () => reject(new DriverError('Closed', 'the request was given up'));
  if (signal.aborted) giveUp();
  signal.addEventListener('abort', giveUp, { once: true });
  const client = new MqttClient(() => stream, clientOptions(settings));
  // Before it is connected: what a session has kept comes in the same breath.
  client.on('message', onMessage);
  client.on('error', (error) => reject(connectError(error, settings.endpoint)));
  client.once('close', () => reject(connectError(new Error('the connection was closed'), settings.endpoint)));
  client.once('connect', () => resolve(client));
  promise.catch(() => client.end(true));
  return promise.finally(() => signal.removeEventListener('abort', giveUp));
}

const PORTS: Readonly<Record<string, number>> = { 'mqtt:': 1883, 'mqtts:': 8883 };

function openStream(settings: DeviceSettings, context: DriverContext): Promise<Duplex> {
  const { endpoint, timeoutMs, trust, secret } = settings;
  const url = URL.parse(endpoint);
  const port = url === null ? undefined : PORTS[url.protocol];
  if (url === null || port === undefined)
    throw new DriverError('Misconfigured', `the endpoint "${endpoint}" is neither mqtt://HOST nor mqtts://HOST`);
  const at = { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port) || port };
  const limits = { timeoutMs, ...context };
  if (url.protocol === 'mqtt:') return connectTcp(at, limits);
  const [cert, key] = [textIn(secret, 'tls.crt'), textIn(secret, 'tls.key')];
  const own = cert === undefined || key === undefined ? {} : { own: { cert, key } };
  return connectTls(at, { ...limits, ...own, trust: withAuthority(trust, textIn(secret, 'ca.crt')) });
}

/** Also what a Secret of type kubernetes.io/tls says. */
function withAuthority(trust: Trust | undefined, authority: string | undefined): Trust | undefined {
  if (authority === undefined) return trust;
  const { trusted, issuers, revocationLists } = trust ?? { trusted: [], issuers: [], revocationLists: [] };
  return { trusted: [...trusted, authority], issuers, revocationLists };
}

function textIn(secret: DeviceSettings['secret'], key: string): string | undefined {
  return secret[key] === undefined ? undefined : Buffer.from(secret[key]).toString('utf8');
}

/** CONNACK of 3.1.1, and reasons of 5, that are about who we are. */
const DENIED = new Set([4, 5, 0x86, 0x87, 0x8a, 0x8c]);

function connectError(cause: unknown, endpoint: string): DriverError {
  const { message, code } = cause as { readonly message?: string; readonly code?: number | string };
  if (typeof code === 'number' && DENIED.has(code))
    return new DriverError('AccessDenied', `the broker ${endpoint} refuses: ${message}`, { cause });
  if (message === 'connack timeout')
    return new DriverError('TimedOut', `the broker ${endpoint} does not answer`, { cause });
  return new DriverError('Unreachable', `no connection to the broker ${endpoint}: ${message || String(code)}`, {
    cause,
  });
}

function clientOptions({ namespace, name, options, secret, timeoutMs }: DeviceSettings): IClientOptions {
  const { version, clientId, keepalive, persistent } = options;
  const username = textIn(secret, 'username');
  const isPersistent = persistent === true;
  return {
    protocolVersion: version === '5' ? 5 : 4,
    clientId: String(clientId ?? `skerry-${namespace}-${name}`),
    keepalive: Math.max(1, Math.round((parseDuration(String(keepalive ?? '30s')) ?? 30_000) / 1000)),
    clean: !isPersistent,
    connectTimeout: timeoutMs,
    reconnectPeriod: 0,
    resubscribe: false,
    ...(version === '5' && isPersistent ? { properties: { sessionExpiryInterval: SESSION_SECONDS } } : {}),
    ...(username === undefined ? {} : { username }),
    ...(secret['password'] === undefined ? {} : { password: Buffer.from(secret['password']) }),
  };
}

/** A broker of MQTT 5 keeps our session for a day. */
const SESSION_SECONDS = 86_400;

class ClientLink implements Link {
  readonly ended: Promise<DriverError | undefined>;
  readonly #client: MqttClient;
  readonly #shared: string | undefined;
  #isClosed = false;

  constructor(client: MqttClient, { endpoint, options }: DeviceSettings) {
    this.#client = client;
    this.#shared = options['sharedGroup'] as string | undefined;
    this.ended = new Promise((resolve) => {
      client.once('close', () =>
        resolve(
          this.#isClosed ? undefined : new DriverError('Unreachable', `the broker ${endpoint} closed the connection`),
        ),
      );
    });
  }

  async subscribe(filters: readonly string[], qos: Qos): Promise<void> {
    const named = filters.map((filter) => (this.#shared === undefined ? filter : `$share/${this.#shared}/${filter}`));
    for (let at = 0; at < named.length; at += MAX_FILTERS) {
      const some = named.slice(at, at + MAX_FILTERS);
      const granted = await this.#client.subscribeAsync(some, { qos });
      const refused = granted.find(({ qos: answer }) => answer >= REFUSED);
      if (refused !== undefined) throw new DriverError('AccessDenied', `the broker refuses ${refused.topic}`);
    }
  }

  async publish({ topic, payload, qos, isRetained }: Outgoing): Promise<void> {
    await this.#client.publishAsync(topic, Buffer.from(payload), { qos, retain: isRetained });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#client.end(true);
  }
}

/** So many filters in one packet. */
const MAX_FILTERS = 500;
const REFUSED = 0x80;
