/** An OpcUaServer with everything that it names fetched from the node's API. */
import { isIP } from 'node:net';
import { join } from 'node:path';
import { messageOf } from '@skerry/base';
import type { OpcUaServer, OpcUaServerSpec } from '../../resources/opcua-server.ts';
import type { DeviceSettings } from '../driver.ts';
import { DriverError } from '../driver-error.ts';
import { createPasswords } from '../logins/passwords.ts';
import { type KeyPair, keyPairOf, ownKeyPair } from '../opcua/own-certificate.ts';
import { readAnchors } from '../opcua/trust.ts';
import type { Access, EndpointSettings } from './gateway-server.ts';
import type { ServerLimits } from './server-limits.ts';

export interface ServerSettings {
  readonly endpoint: EndpointSettings;
  readonly limits: ServerLimits;
  readonly keyPair: KeyPair;
  readonly access: Access;
}

export interface Named {
  readonly secretName?: string;
  readonly trustList?: string;
}

export interface SettingsContext {
  /** What a connection of a device names is fetched the same way. */
  readonly fetch: (named: Named) => Promise<Pick<DeviceSettings, 'secret' | 'trust'>>;
  /** Of the processes that serve the object; the first one is 0. */
  readonly shard: number;
  /** Where key pairs are kept that are made here. */
  readonly folder: string;
  readonly now: number;
}

/** Rejects with a DriverError that says what is missing or wrong. */
export async function resolveServer(server: OpcUaServer, context: SettingsContext): Promise<ServerSettings> {
  const endpoint = endpointOf(server, context.shard);
  const keyPair = await keyPairFor(server, endpoint, context);
  return { endpoint, keyPair, limits: limitsOf(server.spec), access: await accessOf(server.spec, context) };
}

const POLICIES = ['Basic256Sha256', 'Aes128_Sha256_RsaOaep', 'Aes256_Sha256_RsaPss'] as const;

function endpointOf({ metadata, spec }: OpcUaServer, shard: number): EndpointSettings {
  const { namespace = '', name = '' } = metadata;
  const { listen = {}, security = {}, authentication = {} } = spec;
  const { applicationUri = `urn:skerry:${namespace}:${name}` } = spec;
  const { port = 4840 } = listen;
  return {
    address: listen.address ?? '127.0.0.1',
    // 0 is any that is free.
    port: port === 0 ? 0 : port + shard,
    hostnames: spec.hostnames ?? [],
    // Each process is an application of its own, unless a certificate of yours says that they are one.
    applicationUri: security.certificateSecretName === undefined ? numbered(applicationUri, shard) : applicationUri,
    namespaceUri: spec.namespaceUri ?? `urn:skerry:devices:${namespace}`,
    policies: security.policies ?? POLICIES,
    modes: security.modes ?? ['SignAndEncrypt'],
    anonymous: authentication.anonymous ?? false,
  };
}

/** `NAME`, `NAME:2`, `NAME:3` … */
function numbered(name: string, shard: number): string {
  return shard === 0 ? name : `${name}:${shard + 1}`;
}

function limitsOf({ limits = {} }: OpcUaServerSpec): ServerLimits {
  return {
    sessions: limits.sessions ?? 50,
    subscriptionsPerSession: limits.subscriptionsPerSession ?? 50,
    monitoredItemsPerSubscription: limits.monitoredItemsPerSubscription ?? 20_000,
    queueSize: limits.queueSize ?? 1000,
    minSamplingIntervalMs: limits.minSamplingIntervalMs ?? 0,
    messageBytes: limits.messageBytes ?? 16 * 1024 * 1024,
  };
}

async function keyPairFor(
  { metadata, spec }: OpcUaServer,
  { address, hostnames, applicationUri }: EndpointSettings,
  { fetch, folder, now, shard }: SettingsContext,
): Promise<KeyPair> {
  const { namespace = '', name = '' } = metadata;
  const secretName = spec.security?.certificateSecretName;
  if (secretName === undefined) {
    // Wherever it listens, a client on this machine reaches it by these.
    const addresses = isIP(address) === 0 || address === '0.0.0.0' || address === '::' ? [] : [address];
    const hosts = [...new Set([...addresses, 'localhost', '127.0.0.1', ...hostnames])];
    const file = join(folder, `${numbered(`${namespace}.${name}`, shard)}.pem`);
    return ownKeyPair(file, { commonName: numbered(name, shard), applicationUri, hosts }, now);
  }
  const { secret } = await fetch({ secretName });
  const pair = pairIn(secret, secretName);
  const end = pair.chain[0]?.validToDate;
  if (end !== undefined && end.getTime() < now)
    throw new DriverError('Misconfigured', `the certificate in Secret ${secretName} expired at ${end.toISOString()}`);
  return pair;
}

function pairIn(secret: DeviceSettings['secret'], secretName: string): KeyPair {
  try {
    return keyPairOf(`${textOf(secret['tls.key'])}\n${textOf(secret['tls.crt'])}`);
  } catch (cause) {
    throw new DriverError('Misconfigured', `the certificate in Secret ${secretName} ${messageOf(cause)}`, { cause });
  }
}

async function accessOf({ security = {}, authentication = {} }: OpcUaServerSpec, context: SettingsContext) {
  const { trustList } = security;
  const { users = [], certificates = false, certificateRole = 'Observer' } = authentication;
  const access: Access = {
    anchors: trustList === undefined ? undefined : await anchorsOf(trustList, context),
    users: new Map(users.map(({ name, role = 'Observer' }) => [name, role])),
    passwords: createPasswords(await passwordsOf(users, context)),
    certificateRole: certificates ? certificateRole : undefined,
  };
  return access;
}

async function anchorsOf(trustList: string, { fetch }: SettingsContext) {
  const { trust } = await fetch({ trustList });
  try {
    return trust === undefined ? undefined : readAnchors(trust);
  } catch (cause) {
    throw new DriverError('Misconfigured', `TrustList ${trustList} has something that cannot be read`, { cause });
  }
}

type Users = NonNullable<NonNullable<OpcUaServerSpec['authentication']>['users']>;

async function passwordsOf(users: Users, { fetch }: SettingsContext): Promise<ReadonlyMap<string, string>> {
  const entries = users.map(async ({ name, password }) => {
    const { secret } = await fetch({ secretName: password.name });
    const kept = textOf(secret[password.key]).trim();
    if (kept === '') throw new DriverError('Misconfigured', `Secret ${password.name} has no ${password.key}`);
    return [name, kept] as const;
  });
  return new Map(await Promise.all(entries));
}

function textOf(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '' : new TextDecoder().decode(bytes);
}
