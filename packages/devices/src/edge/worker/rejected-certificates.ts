/** Certificates that were refused lately, as a status shows them: for a person to look at, and to accept. */
import { createHash, X509Certificate } from 'node:crypto';
import type { RejectedCertificate } from '../../resources/trust-list.ts';

/** The newest of them: a stranger who makes certificates without end pushes out others, and takes no more memory. */
const MAX_REJECTED = 32;

export class RejectedCertificates {
  readonly #onChange: () => void;
  #list: readonly RejectedCertificate[] = [];

  constructor(onChange: () => void = () => {}) {
    this.#onChange = onChange;
  }

  /** Newest first; one that was refused before moves up. */
  get list(): readonly RejectedCertificate[] {
    return this.#list;
  }

  add(certificate: Uint8Array, reason: string, now: number): void {
    const thumbprint = createHash('sha256').update(certificate).digest('hex');
    const subject = subjectOf(certificate);
    const rejected: RejectedCertificate = {
      thumbprint,
      ...(subject === undefined ? {} : { subject }),
      reason,
      seenAt: new Date(now).toISOString(),
      pem: pemOf(certificate),
    };
    const others = this.#list.filter((each) => each.thumbprint !== thumbprint);
    this.#list = [rejected, ...others].slice(0, MAX_REJECTED);
    this.#onChange();
  }
}

/** Whoever sends what is no certificate is refused all the same. */
function subjectOf(certificate: Uint8Array): string | undefined {
  try {
    return new X509Certificate(certificate).subject.replaceAll('\n', ', ');
  } catch {
    return undefined;
  }
}

function pemOf(certificate: Uint8Array): string {
  const lines =
    Buffer.from(certificate)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
