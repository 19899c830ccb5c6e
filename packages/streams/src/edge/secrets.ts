/** What connections are opened with: the Secret that a stream or sink names. */
import type { KubeObject } from '@skerry/api';
import type { Client } from '@skerry/kube/client';
import { SECRETS } from '../kinds/shared.ts';

/** Bytes by key. */
export type Secret = Readonly<Record<string, Uint8Array>>;

const NO_SECRET: Secret = {};

export async function readSecret(client: Client, namespace: string, name: string | undefined): Promise<Secret> {
  if (name === undefined) return NO_SECRET;
  const { data = {} } = await client.get<KubeObject & { readonly data?: Readonly<Record<string, string>> }>({
    gvr: SECRETS,
    namespace,
    name,
  });
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64')]));
}

export function textIn(secret: Secret, key: string): string | undefined {
  const bytes = secret[key];
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8').trim();
}

/** For HTTP; none where the Secret has neither. */
export function authorizationOf(secret: Secret): Readonly<Record<string, string>> {
  const token = textIn(secret, 'token');
  if (token !== undefined) return { authorization: `Bearer ${token}` };
  const username = textIn(secret, 'username');
  if (username === undefined) return {};
  const pair = `${username}:${textIn(secret, 'password') ?? ''}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** For TLS, as node:tls names them. */
export function tlsOf(secret: Secret): { readonly ca?: string; readonly cert?: string; readonly key?: string } {
  const [ca, cert, key] = [textIn(secret, 'ca.crt'), textIn(secret, 'tls.crt'), textIn(secret, 'tls.key')];
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  };
}
