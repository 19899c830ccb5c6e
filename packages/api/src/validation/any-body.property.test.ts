/** Bodies of any shape pass through defaults, validation and printing without a throw. */
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import type { KubeObject } from '../object.ts';
import { cellsFor } from '../printers/index.ts';
import { applyKindDefaults, qosClass, validateKind, validateMeta } from './index.ts';

const KINDS = [
  '/Pod',
  '/Service',
  '/Node',
  '/Namespace',
  '/ConfigMap',
  '/Secret',
  '/Event',
  '/LimitRange',
  '/PersistentVolumeClaim',
  'apps/Deployment',
  'apps/ReplicaSet',
  'apps/DaemonSet',
  'apps/StatefulSet',
  'batch/Job',
  'batch/CronJob',
  'discovery.k8s.io/EndpointSlice',
  'networking.k8s.io/Ingress',
  'networking.k8s.io/NetworkPolicy',
  'rbac.authorization.k8s.io/ClusterRole',
  'rbac.authorization.k8s.io/RoleBinding',
  'coordination.k8s.io/Lease',
  'autoscaling/HorizontalPodAutoscaler',
  'policy/PodDisruptionBudget',
  'apiextensions.k8s.io/CustomResourceDefinition',
];

// Names that lead deep into the rules, so that odd values meet code that expects others.
const field = fc.constantFrom(
  'spec',
  'template',
  'metadata',
  'labels',
  'selector',
  'matchLabels',
  'matchExpressions',
  'containers',
  'ports',
  'env',
  'valueFrom',
  'resources',
  'limits',
  'requests',
  'volumes',
  'configMap',
  'affinity',
  'nodeAffinity',
  'livenessProbe',
  'strategy',
  'rollingUpdate',
  'status',
  'conditions',
  'rules',
  'subjects',
  'data',
  'type',
  'name',
  'jobTemplate',
  'names',
  'kind',
  '__proto__',
  'constructor',
);
const body = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 6, depthSize: 'large' },
    fc.constantFrom(null, 0, -1, 1.5, true, '', 'x', '1Gi', 'Always', 'RollingUpdate'),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(field, tie('value'), { maxKeys: 5, noNullPrototype: true }),
  ),
})).value;

test('no body makes defaults, validation or printing throw', () => {
  fc.assert(
    fc.property(fc.constantFrom(...KINDS), body, body, (type, first, second) => {
      const [group = '', kind = ''] = type.split('/');
      const whole = (spec: unknown): KubeObject => ({
        apiVersion: 'v1',
        kind,
        metadata: { name: 'a' },
        spec,
        data: spec,
        status: spec,
        rules: spec,
        subjects: spec,
      });
      const [object, old] = [whole(first), whole(second)];
      const gvk = { group, version: 'v1', kind };
      applyKindDefaults(gvk, object);
      validateMeta({ gvk, namespaced: true }, object);
      validateKind(gvk, object);
      validateKind(gvk, object, old);
      cellsFor({ gvk }, object, 0);
      qosClass(object);
    }),
    { numRuns: runs(500) },
  );
});
