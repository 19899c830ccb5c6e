/** The place of the library's certificate store: a TrustList decides, and what it refuses is shown. */
import { X509Certificate } from 'node:crypto';
import type { Clock } from '@skerry/base';
import { type StatusCode, StatusCodes } from 'node-opcua-client';
import { InMemoryCertificateStore } from 'node-opcua-common';
import type { RejectedCertificate } from '../../resources/trust-list.ts';
import type { RefusalLog } from './refusal-log.ts';
import { type Refusal, refusalOf, type TrustAnchors } from './trust.ts';

export interface CertificateCheckOptions {
  readonly clock: Clock;
  /** Undefined: no certificate is accepted. */
  readonly anchors: () => TrustAnchors | undefined;
  readonly refusals: RefusalLog;
  /** Whether somebody else has the common name. */
  readonly isTaken?: (name: string) => boolean;
}

const NO_ANCHORS: TrustAnchors = { trusted: [], issuers: [], revocationLists: [] };

type Certificates = Buffer | Buffer[];

/** Users and applications are asked the same way. */
export class CertificateCheck extends InMemoryCertificateStore {
  readonly #options: CertificateCheckOptions;

  constructor(options: CertificateCheckOptions) {
    super({ autoAcceptUnknown: false });
    this.#options = options;
  }

  /** The library also asks with a callback, and so does this. */
  override checkCertificate(
    certificate: Certificates,
    callback?: (error: Error | null, status?: StatusCode) => void,
  ): Promise<StatusCode> {
    const status = this.#decide(Array.isArray(certificate) ? certificate : [certificate]);
    callback?.(null, status);
    return Promise.resolve(status);
  }

  override async verifyCertificate(certificate: Certificates): Promise<string> {
    return (await this.checkCertificate(certificate)).name;
  }

  override getTrustStatus(certificate: Buffer): Promise<StatusCode> {
    return this.checkCertificate(certificate);
  }

  #decide(chain: readonly Buffer[]): StatusCode {
    const { clock, refusals } = this.#options;
    const anchors = this.#options.anchors();
    const refusal = refusalOf(chain, anchors ?? NO_ANCHORS, clock.now()) ?? this.#nameRefusal(chain[0]);
    if (refusal === undefined) return StatusCodes.Good;
    const reason = anchors === undefined ? 'cannot be accepted, because no TrustList is named' : refusal.reason;
    const rejected = describe(chain[0], `the certificate ${reason}`, clock.now());
    if (rejected !== undefined) refusals.add(rejected);
    return StatusCodes[refusal.code];
  }

  #nameRefusal(der: Buffer | undefined): Refusal | undefined {
    const { isTaken = () => false } = this.#options;
    const { subject } = new X509Certificate(der ?? Buffer.alloc(0));
    const [, name = ''] = /^CN=(.*)$/m.exec(subject) ?? [];
    return isTaken(name)
      ? { code: 'BadCertificateUntrusted', reason: `has the name ${name}, which is that of a user with a password` }
      : undefined;
  }
}

function describe(der: Buffer | undefined, reason: string, now: number): RejectedCertificate | undefined {
  try {
    const certificate = new X509Certificate(der ?? Buffer.alloc(0));
    return {
      thumbprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
      subject: certificate.subject.replaceAll('\n', ', '),
      reason,
      seenAt: new Date(now).toISOString(),
      pem: certificate.toString(),
    };
  } catch {
    return undefined;
  }
}
