/** A connection with everything that it names fetched from the node's API. */
import { type Gvr, isStatus, type KubeObject, type Ref } from '@skerry/api';
import type { Client } from '@skerry/kube/client';
import { TRUST_LISTS } from '../../resources/group.ts';
import type { NamedPem, TrustList } from '../../resources/trust-list.ts';
import type { DeviceSettings, Trust } from '../driver.ts';
import { DriverError } from '../driver-error.ts';
import type { DevicePlan } from './device-plan.ts';

const SECRETS: Gvr = { group: '', version: 'v1', resource: 'secrets' };
const CONFIG_MAPS: Gvr = { group: '', version: 'v1', resource: 'configmaps' };

/** Rejects with a DriverError that says what is missing: it may come later. */
export async function resolveSettings(
  client: Client,
  { namespace, name, connection }: Pick<DevicePlan, 'namespace' | 'name' | 'connection'>,
  signal: AbortSignal,
): Promise<DeviceSettings> {
  const { endpoint, timeoutMs, retries, options, secretName, configMapName, trustList, broker } = connection;
  const fetch = <T extends KubeObject>(gvr: Gvr, of: string) =>
    fetchNamed<T>(client, { gvr, namespace, name: of }, signal);
  const [secret, files, trust] = await Promise.all([
    secretName === undefined ? {} : fetch(SECRETS, secretName).then(bytesOf),
    configMapName === undefined ? {} : fetch(CONFIG_MAPS, configMapName).then(filesOf),
    trustList === undefined ? undefined : fetch<TrustList>(TRUST_LISTS, trustList).then(trustOf),
  ]);
  return {
    namespace,
    name,
    endpoint,
    timeoutMs,
    retries,
    options,
    secret,
    files,
    ...(trust === undefined ? {} : { trust }),
    ...(broker === undefined ? {} : { broker }),
  };
}

async function fetchNamed<T extends KubeObject>(client: Client, ref: Ref, signal: AbortSignal): Promise<T> {
  try {
    return await client.get<T>(ref, { signal });
  } catch (cause) {
    if (!isStatus(cause, 'NotFound')) throw cause;
    throw new DriverError('Misconfigured', `${ref.gvr.resource} "${ref.name}" is not there`, { cause });
  }
}

type Texts = Readonly<Record<string, string>>;
type Bytes = Readonly<Record<string, Uint8Array>>;

function bytesOf({ data }: KubeObject): Bytes {
  return mapValues((data ?? {}) as Texts, (text) => new Uint8Array(Buffer.from(text, 'base64')));
}

function filesOf(configMap: KubeObject): Bytes {
  const texts = mapValues((configMap['data'] ?? {}) as Texts, (text) => new TextEncoder().encode(text));
  return { ...texts, ...bytesOf({ ...configMap, data: configMap['binaryData'] }) };
}

function mapValues(texts: Texts, change: (text: string) => Uint8Array): Bytes {
  return Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, change(text)]));
}

function trustOf({ spec: { trusted, issuers, revocationLists } }: TrustList): Trust {
  const pems = (list: readonly NamedPem[] = []) => list.map(({ pem }) => pem);
  return { trusted: pems(trusted), issuers: pems(issuers), revocationLists: pems(revocationLists) };
}
