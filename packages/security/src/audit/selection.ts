/** Which requests are written down: all but the heartbeat of a fleet, which would drown the rest. */
import type { AuditEvent } from '@skerry/api';

const LEASES = /^\/apis\/coordination\.k8s\.io\/[^/]+\/namespaces\/[^/]+\/leases(?:\/|$)/;
const EVENTS = /^\/(?:api\/v1|apis\/events\.k8s\.io\/v1)\/namespaces\/[^/]+\/events(?:\/|$)/;
const NODE_STATUS = /^\/api\/v1\/nodes\/[^/]+\/status$/;
const PROBES = /^\/(?:healthz|livez|readyz|version|metrics)(?:\/|$)/;

/** Refusals are always written down; so is reading, except of what says nothing. */
export function isAudited({ code, path, verb }: Pick<AuditEvent, 'code' | 'path' | 'verb'>): boolean {
  if (code === 401 || code === 403) return true;
  if (LEASES.test(path) || NODE_STATUS.test(path) || PROBES.test(path)) return false;
  return !EVENTS.test(path) || verb === 'delete' || verb === 'deletecollection';
}
