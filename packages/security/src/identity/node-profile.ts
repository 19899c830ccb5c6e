/** How a node's certificate looks, and the one reader of its name. */
import { type Certificate, clientProfile, DAY_MS, type Profile, validFor } from '../pki/index.ts';
import { NODES_GROUP, nodeUserName } from '../policy/node-name.ts';

export const NODE_CERTIFICATE_LIFE_MS = DAY_MS;

const SPIFFE_PREFIX = 'spiffe://skerry/node/';
const NODE_NAME = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)*$/;
const MAX_NODE_NAME = 253;

/** A DNS subdomain, as `metadata.name` of a Node must be. */
export function isNodeName(text: string): boolean {
  return text.length <= MAX_NODE_NAME && NODE_NAME.test(text);
}

export function spiffeId(node: string): string {
  return SPIFFE_PREFIX + node;
}

export function nodeProfile(node: string, now: number, lifeMs: number = NODE_CERTIFICATE_LIFE_MS): Profile {
  return clientProfile(nodeUserName(node), [NODES_GROUP], validFor(now, lifeMs), [spiffeId(node)]);
}

/** The node that a certificate names; nothing when its names disagree or it is not a node's. Verifies nothing else. */
export function nodeOfCertificate({ names, subject }: Pick<Certificate, 'names' | 'subject'>): string | undefined {
  const [uri, ...others] = names.uris;
  if (uri === undefined || others.length > 0 || !uri.startsWith(SPIFFE_PREFIX)) return undefined;
  const node = uri.slice(SPIFFE_PREFIX.length);
  const agrees = subject.commonName === nodeUserName(node) && subject.organizations.includes(NODES_GROUP);
  return agrees && isNodeName(node) ? node : undefined;
}
