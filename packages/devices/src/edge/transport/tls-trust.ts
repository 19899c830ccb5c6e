/** A TrustList in the words of TLS: the same for servers that devices are, and for clients that come. */
import { X509Certificate } from 'node:crypto';
import type { PeerCertificate, SecureContextOptions, TLSSocket } from 'node:tls';
import type { Trust } from '../driver.ts';

/** Chains are never longer; it also ends what goes round in a circle. */
const MAX_CHAIN = 10;

/** An empty list trusts nobody, which is not the same as no list. */
export function contextOf({ trusted, issuers, revocationLists }: Trust): SecureContextOptions {
  return {
    ca: [...trusted, ...issuers],
    allowPartialTrustChain: true,
    ...(revocationLists.length === 0 ? {} : { crl: [...revocationLists] }),
  };
}

/** SHA-256 of what is trusted by itself. Throws when it cannot be read: half a list is none. */
export function fingerprintsOf({ trusted }: Trust): ReadonlySet<string> {
  return new Set(trusted.map((pem) => new X509Certificate(pem).fingerprint256));
}

/** Why a peer whose certificate is in order is not accepted all the same: issuers make nothing trusted by themselves. */
export function chainRefusal(socket: TLSSocket, trusted: ReadonlySet<string>): string | undefined {
  let each: Partial<PeerCertificate> & { readonly issuerCertificate?: PeerCertificate } =
    socket.getPeerCertificate(true);
  for (let depth = 0; depth < MAX_CHAIN; depth++) {
    if (each.fingerprint256 !== undefined && trusted.has(each.fingerprint256)) return undefined;
    const { issuerCertificate } = each;
    if (issuerCertificate === undefined || issuerCertificate.fingerprint256 === each.fingerprint256) break;
    each = issuerCertificate;
  }
  return 'has an issuer that is known, but not trusted';
}

/** Completes the sentence "the certificate …". */
export function inWords(code: string): string {
  return WORDS[code] ?? `is not accepted (${code})`;
}

const UNKNOWN = 'is in no TrustList, nor is an authority that has issued it';

const WORDS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'has expired, or one that it leads to',
  CERT_NOT_YET_VALID: 'is not valid yet, or one that it leads to',
  CERT_REVOKED: 'was revoked by its issuer',
  CERT_SIGNATURE_FAILURE: 'is not signed by the issuer that it names',
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN,
  UNABLE_TO_GET_CRL: 'has an issuer without a list of what it has revoked',
  INVALID_PURPOSE: 'is not meant for this side of a connection',
  ERR_TLS_CERT_ALTNAME_INVALID: 'is trusted by its authority, but does not name this host',
};
