/** Certificates by which what runs on this node serves as the site: of the node's own authority, and never under the API's names. */
import { isIP } from 'node:net';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { CertificateAnswer, CertificateQuestion, SiteCertificate } from '@skerry/devices/supervision';
import {
  credentialToPem,
  DAY_MS,
  issueCredential,
  type Pki,
  serverProfile,
  splitHostNames,
  validFor,
} from '@skerry/security/pki';
import { API_NAMES_IN_PODS } from '@skerry/workloads/edge';

export interface SiteCertificatesOptions {
  readonly pki: Pick<Pki, 'authority' | 'caPem'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Whoever has one asks for another when two thirds of it are over. */
const LIFE_MS = 90 * DAY_MS;
const MAX_NAMES = 128;
const HOST_NAME = /^(?=.{1,253}$)(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*$/i;

/** Answers a worker of this node. */
export function certificateAnswers(options: SiteCertificatesOptions): (question: unknown) => CertificateAnswer {
  return (question) => {
    const { id, certificateOf } = question as CertificateQuestion;
    try {
      return { id, issued: issueFor(certificateOf, options) };
    } catch (error) {
      options.log.warn({ names: certificateOf, error: messageOf(error) }, 'no certificate issued');
      return { id, refusal: messageOf(error) };
    }
  };
}

/** Throws when a name is none, or not for a worker to have. */
function issueFor(names: readonly string[], { pki, clock, log }: SiteCertificatesOptions): SiteCertificate {
  if (names.length === 0 || names.length > MAX_NAMES) throw new TypeError(`1 to ${MAX_NAMES} names are possible`);
  for (const name of names) {
    if (isIP(name) === 0 && !HOST_NAME.test(name)) throw new TypeError(`${name} is neither a host name nor an address`);
    if (isOfApi(name)) throw new TypeError(`${name} is a name of the API`);
  }
  const validity = validFor(clock.now(), LIFE_MS);
  const profile = serverProfile({ names: splitHostNames(names), organizations: ['system:site'], validity });
  const { cert, key } = credentialToPem(issueCredential(pki.authority, profile, { now: clock.now() }));
  log.info({ names, until: new Date(validity.notAfter).toISOString() }, 'certificate of the site issued');
  return { certificate: cert, key, authority: pki.caPem };
}

/** Also where a wildcard stands for one. */
function isOfApi(name: string): boolean {
  const lower = name.toLowerCase();
  return API_NAMES_IN_PODS.some((each) => each === lower || (lower.startsWith('*.') && each.endsWith(lower.slice(1))));
}
