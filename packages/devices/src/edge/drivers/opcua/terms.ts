/** What a Device says of its connection, as the library wants to hear it. */

import { X509Certificate } from 'node:crypto';
import { parseDuration } from '@skerry/api/durations';
import {
  MessageSecurityMode,
  type OPCUAClientOptions,
  SecurityPolicy,
  type UserIdentityInfo,
  UserTokenType,
} from 'node-opcua-client';
import type { DeviceSettings, DriverContext } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';
import { type CertificateStore, certificateStore } from '../../opcua/certificate-store.ts';
import { applicationUriOf, type KeyPair, keysOf } from '../../opcua/own-certificate.ts';
import { type Refusal, readAnchors, refusalOf, type TrustAnchors } from '../../opcua/trust.ts';

export interface ConnectionTerms {
  readonly endpoint: string;
  readonly timeoutMs: number;
  readonly resumeMs: number;
  readonly sessionTimeoutMs: number;
  /** Mode and policy, in words. */
  readonly security: string;
  readonly mode: MessageSecurityMode;
  readonly policy: SecurityPolicy;
  readonly identity: UserIdentityInfo;
  readonly own: KeyPair;
  readonly store: CertificateStore;
  /** Why the server's certificate was refused last. */
  readonly refused: () => Refusal | undefined;
}

/** Throws a DriverError. */
export function termsOf(settings: DeviceSettings, own: KeyPair, context: DriverContext): ConnectionTerms {
  const { endpoint, options, timeoutMs } = settings;
  const anchors = anchorsOf(settings);
  const modeName = String(options['securityMode'] ?? 'SignAndEncrypt');
  const policyName = modeName === 'None' ? 'None' : String(options['securityPolicy'] ?? 'Basic256Sha256');
  let refused: Refusal | undefined;
  const store = certificateStore({
    judge: (chain) => refusalOf(chain, { anchors, now: context.clock.now(), host: hostOf(endpoint) }),
    own: own.chain[0]?.raw,
    onRefused: (certificate, refusal) => {
      refused = refusal;
      context.onRejectedCertificate?.(new Uint8Array(certificate), `the server's certificate ${refusal.reason}`);
    },
  });
  return {
    endpoint,
    timeoutMs,
    resumeMs: milliseconds(options['resume'], 10_000),
    sessionTimeoutMs: milliseconds(options['sessionTimeout'], 60_000),
    security: modeName === 'None' ? 'security mode None' : `${modeName} with ${policyName}`,
    mode: MessageSecurityMode[modeName as keyof typeof MessageSecurityMode],
    policy: SecurityPolicy[policyName as keyof typeof SecurityPolicy],
    identity: identityOf(settings),
    own,
    store,
    refused: () => refused,
  };
}

const NO_TRUST = { trusted: [], issuers: [], revocationLists: [] };

function anchorsOf({ trust = NO_TRUST }: DeviceSettings): TrustAnchors {
  try {
    return readAnchors(trust);
  } catch (cause) {
    throw new DriverError('Misconfigured', 'the TrustList has something that cannot be read', { cause });
  }
}

/** A connection that is lost is tried again so often, within the time that it may be resumed. */
const RETRY = { maxRetry: 1, initialDelay: 200, maxDelay: 2000, randomisationFactor: 0.1 };

export function clientOptions(terms: ConnectionTerms): OPCUAClientOptions {
  return {
    applicationName: 'Skerry',
    applicationUri: applicationUriOf(terms.own) ?? 'urn:skerry:opcua',
    clientName: 'skerry',
    certificateKeyPairProvider: keysOf(terms.own),
    clientCertificateManager: terms.store,
    securityMode: terms.mode,
    securityPolicy: terms.policy,
    // Servers often name themselves otherwise than they are reached: behind a relay, by another address.
    endpointMustExist: false,
    keepSessionAlive: true,
    requestedSessionTimeout: terms.sessionTimeoutMs,
    defaultTransactionTimeout: terms.timeoutMs,
    transportTimeout: terms.timeoutMs,
    connectionStrategy: RETRY,
  };
}

export function milliseconds(duration: unknown, fallback: number): number {
  return (typeof duration === 'string' ? parseDuration(duration) : undefined) ?? fallback;
}

function hostOf(endpoint: string): string {
  const [, bracketed, plain] = /^opc\.tcp:\/\/(?:\[([^\]]+)\]|([^:/]+))/.exec(endpoint) ?? [];
  return bracketed ?? plain ?? '';
}

function identityOf({ options, secret }: DeviceSettings): UserIdentityInfo {
  switch (options['identity']) {
    case 'Password':
      return {
        type: UserTokenType.UserName,
        userName: textIn(secret, 'username'),
        password: textIn(secret, 'password'),
      };
    case 'Certificate':
      return {
        type: UserTokenType.Certificate,
        certificateData: certificateIn(textIn(secret, 'user.crt')),
        privateKey: textIn(secret, 'user.key'),
      };
    default:
      return { type: UserTokenType.Anonymous };
  }
}

function textIn(secret: DeviceSettings['secret'], key: string): string {
  const bytes = secret[key];
  if (bytes === undefined) throw new DriverError('Misconfigured', `the Secret has no key ${key}`);
  return new TextDecoder().decode(bytes);
}

function certificateIn(pem: string): Buffer {
  try {
    return new X509Certificate(pem).raw;
  } catch (cause) {
    throw new DriverError('Misconfigured', 'user.crt of the Secret is no certificate', { cause });
  }
}
