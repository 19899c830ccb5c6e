/** Certificates of the site's own identity, for whatever of this worker listens: asked for once, and anew before they end. */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { Clock } from '@skerry/base';
import type { SiteCertificate } from '../../supervision/worker-start.ts';
import { DriverError } from '../driver-error.ts';

/** Whoever has the node's authority answers. */
export type IssueCertificate = (names: readonly string[]) => Promise<SiteCertificate>;

export interface SiteCertificates {
  /** Good for a while yet. Rejects with a DriverError. */
  of(names: readonly string[]): Promise<SiteCertificate>;
}

/** Renewed when less than this part of its life is left: as the node's other certificates. */
const RENEW_AT_FRACTION = 1 / 3;
/** So many sets of names are remembered. */
const MAX_KNOWN = 256;

export function siteCertificates(issue: IssueCertificate, clock: Clock): SiteCertificates {
  const known = new Map<string, SiteCertificate>();
  return {
    of: async (names) => {
      const key = JSON.stringify(names);
      const kept = known.get(key);
      if (kept !== undefined && isGood(kept, clock.now())) return kept;
      const fresh = await issue(names).catch((cause: unknown) => {
        throw new DriverError('Misconfigured', `the node gives no certificate for ${names.join(', ')}`, { cause });
      });
      if (known.size >= MAX_KNOWN) known.clear();
      known.set(key, fresh);
      return fresh;
    },
  };
}

/** Also not from a time that the clock has not reached: it was wrong then, or is now. */
function isGood({ certificate }: SiteCertificate, now: number): boolean {
  const { validFromDate, validToDate } = new X509Certificate(certificate);
  const [from, to] = [validFromDate.getTime(), validToDate.getTime()];
  return from <= now && to - now > (to - from) * RENEW_AT_FRACTION;
}

/** By what clients reach an address: wherever it is bound, whoever is on this machine by these. */
export function namesOf(address: string, hostnames: readonly string[]): readonly string[] {
  const own = isIP(address) === 0 || address === '0.0.0.0' || address === '::' ? [] : [address];
  return [...new Set([...own, 'localhost', '127.0.0.1', ...hostnames])];
}
