/** Requests for certificates: who is to sign, for what, for how long. What is asked for itself is read where certificates are made. */
import { type JsonObject, numberAt, objectAt, textAt } from '../../json.ts';
import { duplicate, invalid, notSupported, required } from '../../walker/field-errors.ts';
import { checkDnsSubdomain } from '../names.ts';
import { type Faults, isAbsent, present, problems } from './checks.ts';
import type { KindRules } from './rules.ts';

const LEAST_SECONDS = 600;
const LEGACY_SIGNER = 'kubernetes.io/legacy-unknown';

const USAGES: readonly string[] = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
];

export const certificateRules: Readonly<Record<string, KindRules>> = {
  'certificates.k8s.io/CertificateSigningRequest': { check: () => {}, create: checkNew },
};

/** Of a request that was taken, its spec never changes; so only a new one is looked at. */
function checkNew(faults: Faults, object: JsonObject): void {
  const spec = objectAt(object, 'spec');
  present(faults, 'spec.request', spec['request']);
  checkUsages(faults, spec['usages']);
  checkSigner(faults, textAt(spec, 'signerName'));
  const seconds = spec['expirationSeconds'];
  if (!isAbsent(seconds) && numberAt(spec, 'expirationSeconds') < LEAST_SECONDS) {
    faults.push(
      invalid('spec.expirationSeconds', seconds, 'may not specify a duration less than 600 seconds (10 minutes)'),
    );
  }
}

function checkUsages(faults: Faults, usages: unknown): void {
  if (!Array.isArray(usages) || usages.length === 0) {
    faults.push(required('spec.usages'));
    return;
  }
  const seen = new Set<unknown>();
  for (const [index, usage] of usages.entries()) {
    const path = `spec.usages[${index}]`;
    if (!USAGES.includes(String(usage))) faults.push(notSupported(path, usage, USAGES));
    if (seen.has(usage)) faults.push(duplicate(path, usage));
    seen.add(usage);
  }
}

function checkSigner(faults: Faults, signer: string): void {
  const path = 'spec.signerName';
  if (!present(faults, path, signer)) return;
  const [domain = '', name, ...more] = signer.split('/');
  if (name === undefined || more.length > 0) {
    const form = "must be a fully qualified domain and path of the form 'example.com/signer-name'";
    faults.push(invalid(path, signer, form));
    return;
  }
  problems(faults, path, domain, checkDnsSubdomain(domain));
  if (!domain.includes('.')) {
    faults.push(invalid(path, domain, 'should be a domain with at least two segments separated by dots'));
  }
  problems(faults, path, name, checkDnsSubdomain(name));
  if (signer === LEGACY_SIGNER) {
    faults.push(invalid(path, signer, 'the legacy signerName is not allowed via this API version'));
  }
}
