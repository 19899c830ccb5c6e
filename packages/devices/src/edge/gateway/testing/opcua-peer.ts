/** For tests: what a client of OPC UA does, and certificates for it. */

import {
  AttributeIds,
  type ClientSession,
  MessageSecurityMode,
  OPCUAClient,
  SecurityPolicy,
  type UserIdentityInfo,
  UserTokenType,
} from 'node-opcua-client';
import { InMemoryCertificateStore } from 'node-opcua-common';
import { CertificatePurpose, createSelfSignedCertificate, generateKeyPair, privateKeyToPEM } from 'node-opcua-crypto';
import { keyPairOf, keysOf } from '../../opcua/own-certificate.ts';

export interface Pair {
  readonly certificate: string;
  readonly key: string;
}

const DAY_MS = 24 * 3600 * 1000;

/** An application's, or a user's, that signed itself. */
export async function makePair(name: string, { endedDaysAgo = -1000, isUser = false } = {}): Promise<Pair> {
  const { privateKey } = await generateKeyPair(2048);
  const notAfter = new Date(Date.now() - endedDaysAgo * DAY_MS);
  const { cert } = await createSelfSignedCertificate({
    privateKey,
    subject: `/CN=${name}`,
    applicationUri: `urn:test:${name}`,
    dns: ['localhost'],
    notBefore: new Date(notAfter.getTime() - 2000 * DAY_MS),
    notAfter,
    purpose: isUser ? CertificatePurpose.ForUserAuthentication : CertificatePurpose.ForApplication,
  });
  return { certificate: cert, key: (await privateKeyToPEM(privateKey)).privPem };
}

export interface Visit {
  readonly endpoint: string;
  readonly pair: Pair;
  readonly policy?: SecurityPolicy;
  readonly mode?: MessageSecurityMode;
  readonly user?: UserIdentityInfo;
  readonly name?: string;
}

/** A session for the length of the story; rejects with the server's word when there is none. */
export async function visit<T>(
  { endpoint, pair, policy, mode, user, name = 'client' }: Visit,
  story: (session: ClientSession) => Promise<T>,
): Promise<T> {
  const client = OPCUAClient.create({
    applicationUri: `urn:test:${name}`,
    clientName: name,
    securityPolicy: policy ?? SecurityPolicy.Basic256Sha256,
    securityMode: mode ?? MessageSecurityMode.SignAndEncrypt,
    connectionStrategy: { maxRetry: 0 },
    endpointMustExist: false,
    certificateKeyPairProvider: keysOf(keyPairOf(`${pair.key}\n${pair.certificate}`)),
    clientCertificateManager: new InMemoryCertificateStore() as never,
  });
  try {
    await client.connect(endpoint);
    const session = await client.createSession(user ?? { type: UserTokenType.Anonymous });
    try {
      return await story(session);
    } finally {
      await session.close();
    }
  } finally {
    await client.disconnect();
  }
}

/** For stories outside of this package, which do not speak the library. */
export interface Reading {
  readonly value: unknown;
  readonly status: string;
  readonly sourceTime: number;
}

export interface Person {
  readonly name: string;
  readonly password: string;
}

export async function readOpcUa(visitor: Visit & { readonly person?: Person }, id: string): Promise<Reading> {
  const user = visitor.person === undefined ? {} : { user: userOf(visitor.person) };
  return visit({ ...visitor, ...user }, async (session) => {
    const { value, statusCode, sourceTimestamp } = await session.read({ nodeId: id, attributeId: AttributeIds.Value });
    return { value: value.value as unknown, status: statusCode.name, sourceTime: sourceTimestamp?.getTime() ?? 0 };
  });
}

/** Which servers the one that is there names, by application URI. */
export async function serversAt(endpoint: string): Promise<ReadonlyMap<string, string>> {
  const client = OPCUAClient.create({ endpointMustExist: false, connectionStrategy: { maxRetry: 0 } });
  try {
    await client.connect(endpoint);
    const servers = await client.findServers();
    return new Map(
      servers.map(({ applicationUri, discoveryUrls }) => [applicationUri ?? '', discoveryUrls?.[0] ?? '']),
    );
  } finally {
    await client.disconnect();
  }
}

/** The status of the write. */
export async function writeOpcUa(
  visitor: Visit & { readonly person: Person },
  id: string,
  value: number,
): Promise<string> {
  return visit({ ...visitor, user: userOf(visitor.person) }, async (session) => {
    const { value: before } = await session.read({ nodeId: id, attributeId: AttributeIds.Value });
    const request = {
      nodeId: id,
      attributeId: AttributeIds.Value,
      value: { value: { dataType: before.dataType, arrayType: before.arrayType, value } },
    };
    return (await session.write(request)).name;
  });
}

function userOf({ name, password }: Person): UserIdentityInfo {
  return { type: UserTokenType.UserName, userName: name, password };
}
