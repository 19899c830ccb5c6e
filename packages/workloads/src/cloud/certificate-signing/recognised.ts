/** What Kubernetes' own signers sign: whose names, for what use. Pure. */
import { checkDnsSubdomain } from '@skerry/api/validation';

export const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client';
export const KUBELET_CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client-kubelet';
export const KUBELET_SERVING_SIGNER = 'kubernetes.io/kubelet-serving';

/** What a request asks to be called. */
export interface RequestedNames {
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly dns: readonly string[];
  readonly ips: readonly string[];
  readonly uris: readonly string[];
}

export interface Asked {
  readonly signerName: string;
  readonly usages: readonly string[];
  readonly names: RequestedNames;
}

const NODE_USER = 'system:node:';
const NODES = 'system:nodes';
const MASTERS = 'system:masters';
const KEY_USAGES: readonly string[] = ['digital signature', 'key encipherment'];

export function isOurs(signerName: string): boolean {
  return [CLIENT_SIGNER, KUBELET_CLIENT_SIGNER, KUBELET_SERVING_SIGNER].includes(signerName);
}

/** Why a request is not one that its signer signs; nothing when it is. */
export function refusalOf({ signerName, usages, names }: Asked): string | undefined {
  switch (signerName) {
    case CLIENT_SIGNER:
      return hasUsages(usages, 'client auth') ? refusalOfClient(names) : 'usages did not match [client auth]';
    case KUBELET_CLIENT_SIGNER:
      if (!hasUsages(usages, 'client auth')) return 'usages did not match [client auth]';
      if (names.dns.length + names.ips.length + names.uris.length > 0) return 'subjectAltNames are not allowed';
      return refusalOfNode(names);
    case KUBELET_SERVING_SIGNER:
      if (!hasUsages(usages, 'server auth')) return 'usages did not match [server auth]';
      if (names.dns.length + names.ips.length === 0) return 'DNS or IP subjectAltName is required';
      if (names.uris.length > 0) return 'URI subjectAltNames are not allowed';
      return refusalOfNode(names);
    default:
      return 'the signer is another one';
  }
}

/** One purpose, and beside it only what keys are used for in it. */
function hasUsages(usages: readonly string[], purpose: string): boolean {
  return usages.includes(purpose) && usages.every((usage) => usage === purpose || KEY_USAGES.includes(usage));
}

/** A certificate of a node that does not say so in the way that revocation reads would outlive the node's. */
function refusalOfClient({ commonName, organizations }: RequestedNames): string | undefined {
  if (commonName === '') return 'a common name is required';
  if (organizations.includes(MASTERS)) return `the group ${MASTERS} is not given by this signer`;
  const isNode = organizations.includes(NODES) || commonName.startsWith(NODE_USER);
  return isNode ? `certificates of nodes are signed by ${KUBELET_CLIENT_SIGNER}` : undefined;
}

function refusalOfNode({ commonName, organizations }: RequestedNames): string | undefined {
  if (organizations.length !== 1 || organizations[0] !== NODES) return `organization must be ${NODES}`;
  if (!commonName.startsWith(NODE_USER)) return `common name must begin with ${NODE_USER}`;
  const [problem] = checkDnsSubdomain(commonName.slice(NODE_USER.length));
  return problem === undefined ? undefined : `common name does not name a node: ${problem}`;
}
