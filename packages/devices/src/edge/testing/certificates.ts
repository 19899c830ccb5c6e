/** For tests: an authority, and what it issues. Dated by the machine's clock, because TLS asks that one. */
import {
  certificateToPem,
  createAuthority,
  credentialToPem,
  DAY_MS,
  issueCredential,
  serverProfile,
  splitHostNames,
} from '@skerry/security/pki';
import type { Trust } from '../driver.ts';

export interface TestAuthority {
  readonly pem: string;
  /** As a TrustList that has it. */
  readonly trust: Trust;
  issue(names: readonly string[], lifeMs?: number): { readonly certificate: string; readonly key: string };
}

export function testAuthority(): TestAuthority {
  const now = Date.now();
  const authority = createAuthority({ now });
  const pem = certificateToPem(authority.certificate);
  return {
    pem,
    trust: { trusted: [pem], issuers: [], revocationLists: [] },
    issue: (names, lifeMs = DAY_MS) => {
      const validity = { notBefore: now + Math.min(0, lifeMs) - 60_000, notAfter: now + lifeMs };
      const profile = serverProfile({ names: splitHostNames(names), validity });
      const { cert, key } = credentialToPem(issueCredential(authority, profile, { now }));
      return { certificate: cert, key };
    },
  };
}
