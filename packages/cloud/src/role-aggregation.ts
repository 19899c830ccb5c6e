/**
 * Writes into aggregated ClusterRoles the rules they have come to hold, for whoever reads them, as kubectl does.
 * Decisions do not wait for it: the policy works the same rules out by itself.
 */
import type { Gvr, KubeObject } from '@skerry/api';
import type { Clock, Logger } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import { type ControllerSpec, createInformerFactory, keyOf, runController, watching } from '@skerry/kube/controller';
import { aggregatedRules } from '@skerry/security/policy';

const CLUSTER_ROLES: Gvr = { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'clusterroles' };

export interface AggregationOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Runs until `signal` aborts. */
export function runRoleAggregation(options: AggregationOptions): Promise<void> {
  return runController(roleAggregation(options), options);
}

function roleAggregation(options: AggregationOptions): ControllerSpec {
  const { client } = options;
  const roles = createInformerFactory(options).informer({ gvr: CLUSTER_ROLES });
  return {
    name: 'role-aggregation',
    // Any role may be part of any aggregated one: there are few of those, and a look that changes nothing costs no write.
    watches: [watching(roles, () => roles.cache.list().filter(isAggregated).map(keyOf))],
    reconcile: async (name) => {
      const role = roles.cache.get(name);
      if (role === undefined || !isAggregated(role)) return undefined;
      const rules = aggregatedRules(role, roles.cache.list());
      if (JSON.stringify(rules) === JSON.stringify(role['rules'] ?? [])) return undefined;
      const { uid, resourceVersion } = role.metadata;
      await client.patch(
        { gvr: CLUSTER_ROLES, name },
        { metadata: { uid, resourceVersion }, rules },
        { type: 'merge' },
      );
      return undefined;
    },
  };
}

function isAggregated(role: KubeObject): boolean {
  return role['aggregationRule'] !== undefined;
}
