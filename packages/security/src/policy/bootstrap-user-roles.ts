/** admin, edit and view, made of parts that others may add to by label (aggregation), as CRD authors do. */

import { rule } from './bootstrap-rules.ts';
import type { PolicyRule } from './rules.ts';

export interface UserRole {
  readonly name: string;
  readonly rules: readonly PolicyRule[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly aggregationRule?: object;
}

const READ = 'get list watch';
const WRITE = 'create delete deletecollection patch update';

const WORKLOADS =
  'daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale';
/** Our namespaced kinds; those that concern the whole fleet stay with cluster-admin. */
const CAPABILITIES =
  'apps.skerry.io devices.skerry.io streams.skerry.io intelligence.skerry.io mec.skerry.io operations.skerry.io registry.skerry.io telemetry.skerry.io';

export function userFacingRoles(): readonly UserRole[] {
  return [
    { name: 'admin', rules: [], aggregationRule: aggregate('admin') },
    { name: 'edit', rules: [], aggregationRule: aggregate('edit'), labels: label('admin') },
    { name: 'view', rules: [], aggregationRule: aggregate('view'), labels: label('edit') },
    { name: 'system:aggregate-to-admin', labels: label('admin'), rules: adminRules() },
    { name: 'system:aggregate-to-edit', labels: label('edit'), rules: editRules() },
    { name: 'system:aggregate-to-view', labels: label('view'), rules: viewRules() },
    {
      name: 'system:aggregated-metrics-reader',
      labels: label('view'),
      rules: [rule(READ, 'metrics.k8s.io', 'nodes pods')],
    },
    { name: 'skerry:aggregate-to-edit', labels: label('edit'), rules: [rule(WRITE, CAPABILITIES, '*')] },
    {
      name: 'skerry:aggregate-to-view',
      labels: label('view'),
      // A query changes nothing.
      rules: [rule(READ, CAPABILITIES, '*'), rule('create', 'telemetry.skerry.io', 'devicehistories seriesqueries')],
    },
  ];
}

function label(role: string): Record<string, string> {
  return { [`rbac.authorization.k8s.io/aggregate-to-${role}`]: 'true' };
}

function aggregate(role: string): object {
  return { clusterRoleSelectors: [{ matchLabels: label(role) }] };
}

function adminRules(): readonly PolicyRule[] {
  return [
    rule('create', 'authorization.k8s.io', 'localsubjectaccessreviews'),
    rule(`${READ} ${WRITE}`, 'rbac.authorization.k8s.io', 'rolebindings roles'),
  ];
}

function editRules(): readonly PolicyRule[] {
  return [
    rule('get list watch', '', 'pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy'),
    rule('impersonate', '', 'serviceaccounts'),
    rule(WRITE, '', 'pods pods/attach pods/exec pods/portforward pods/proxy'),
    rule('create', '', 'pods/eviction serviceaccounts/token'),
    rule(
      WRITE,
      '',
      'configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy',
    ),
    rule(WRITE, 'apps', WORKLOADS),
    rule(WRITE, 'autoscaling', 'horizontalpodautoscalers'),
    rule(WRITE, 'batch', 'cronjobs jobs'),
    rule(WRITE, 'policy', 'poddisruptionbudgets'),
    rule(WRITE, 'networking.k8s.io', 'ingresses networkpolicies'),
    rule(`${READ} ${WRITE}`, 'coordination.k8s.io', 'leases'),
  ];
}

function viewRules(): readonly PolicyRule[] {
  return [
    rule(
      READ,
      '',
      'configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status',
    ),
    rule(
      READ,
      '',
      'bindings events limitranges namespaces namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status',
    ),
    rule(READ, 'discovery.k8s.io', 'endpointslices'),
    rule(
      READ,
      'apps',
      `controllerrevisions daemonsets/status deployments/status replicasets/status statefulsets/status ${WORKLOADS.replace('deployments/rollback ', '')}`,
    ),
    rule(READ, 'autoscaling', 'horizontalpodautoscalers horizontalpodautoscalers/status'),
    rule(READ, 'batch', 'cronjobs cronjobs/status jobs jobs/status'),
    rule(READ, 'policy', 'poddisruptionbudgets poddisruptionbudgets/status'),
    rule(READ, 'networking.k8s.io', 'ingresses ingresses/status networkpolicies'),
  ];
}
