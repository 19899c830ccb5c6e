/** The cloud's authority for requests that come through the API: it reads them as they are made, and signs what was approved. */
import { type FieldError, StatusError } from '@skerry/api';
import { type Clock, messageOf } from '@skerry/base';
import type { AdmissionStep } from '@skerry/kube/server';
import { nodeProfile } from '@skerry/security/identity';
import {
  type Authority,
  certificateToPem,
  issue,
  type Profile,
  parseCsr,
  validFor,
  YEAR_MS,
} from '@skerry/security/pki';
import type { CertificateSigner, SigningOrder } from '@skerry/workloads/cloud';

const NODE_USER = 'system:node:';
const KUBELET_CLIENT = 'kubernetes.io/kube-apiserver-client-kubelet';
const CLIENT = 'kubernetes.io/kube-apiserver-client';
const MASTERS = 'system:masters';

export function certificateSigner(authority: Authority, clock: Pick<Clock, 'now'>): CertificateSigner {
  return {
    read: (request) => {
      const { subject, names } = parseCsr(request);
      return { ...subject, ...names };
    },
    sign: (order) => {
      const now = clock.now();
      const { publicKeyDer } = parseCsr(order.request);
      return certificateToPem(issue(authority, publicKeyDer, profileOf(order, now), { now }));
    },
  };
}

function profileOf({ request, signerName, usages, expirationSeconds }: SigningOrder, now: number): Profile {
  const { subject, names } = parseCsr(request);
  const lifeMs = Math.min(YEAR_MS, (expirationSeconds ?? Number.POSITIVE_INFINITY) * 1000);
  // A node is known, and revoked, by its SPIFFE ID: what speaks for it carries that, whatever it asked for.
  if (signerName === KUBELET_CLIENT) return nodeProfile(subject.commonName.slice(NODE_USER.length), now, lifeMs);
  const isServer = usages.includes('server auth');
  return { subject, names, usages: [isServer ? 'serverAuth' : 'clientAuth'], ...validFor(now, lifeMs) };
}

/** A request that cannot be read is refused when it is made, and so is one that asks to be an administrator. */
export const certificateRequestStep: AdmissionStep = {
  name: 'SkerryCertificateRequest',
  admit: (_engine, { operation, kind, name, object }) => {
    const { gvr, gvk } = kind.row;
    if (operation !== 'CREATE' || gvr.group !== 'certificates.k8s.io') return;
    const { request, signerName } = (object['spec'] ?? {}) as { request?: string; signerName?: string };
    if (request === undefined || request === '') return;
    const organizations = readOrganizations({ name, kind: gvk.kind, group: gvk.group }, request);
    if (signerName !== CLIENT || !organizations.includes(MASTERS)) return;
    const why = `use of ${CLIENT} signer with ${MASTERS} group is not allowed`;
    throw new StatusError(403, 'Forbidden', `${gvr.resource}.${gvr.group} "${name}" is forbidden: ${why}`, {
      name,
      group: gvr.group,
      kind: gvr.resource,
    });
  },
};

interface Named {
  readonly name: string;
  readonly kind: string;
  readonly group: string;
}

function readOrganizations(named: Named, request: string): readonly string[] {
  try {
    return parseCsr(Buffer.from(request, 'base64').toString('latin1')).subject.organizations;
  } catch (error) {
    const text = `spec.request: Invalid value: "${request}": unable to parse request: ${messageOf(error)}`;
    throw refuse(named, { reason: 'FieldValueInvalid', path: 'spec.request', message: text });
  }
}

function refuse({ name, kind, group }: Named, { reason, path, message }: FieldError): StatusError {
  const causes = [{ reason, field: path, message: message.slice(path.length + 2) }];
  return new StatusError(422, 'Invalid', `${kind}.${group} "${name}" is invalid: ${message}`, {
    name,
    group,
    kind,
    causes,
  });
}
