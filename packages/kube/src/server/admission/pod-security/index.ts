/** PodSecurity: pods keep to the standard that the labels of their namespace name; what makes pods is warned. */
import type { KubeObject } from '@skerry/api';
import { describeViolations, policyOf, type Standard, violationsOf } from '@skerry/api/pod-security';
import type { Pod, PodTemplateSpec } from '@skerry/api/types';
import { formatKey } from '../../../store/key.ts';
import { type AdmissionStep, type Admitted, type Engine, groupResource } from '../../engine.ts';
import { jsonEqual } from '../../json-equal.ts';
import { toServedObject } from '../../object-text.ts';
import { forbidden } from '../../statuses.ts';
import { isFor } from '../lookup.ts';
import { admitNamespace } from './namespace-labels.ts';

const AUDIT_ANNOTATION = 'pod-security.kubernetes.io/audit-violations';

export const podSecurity: AdmissionStep = {
  name: 'PodSecurity',
  onlyLooks: true,
  admit: (engine, admitted) => {
    if (admitted.operation === 'DELETE') return;
    if (isFor(admitted, '', 'namespaces')) admitNamespace(engine, admitted);
    else if (isFor(admitted, '', 'pods')) admitPod(engine, admitted);
    else admitTemplate(engine, admitted);
  },
};

function admitPod(engine: Engine, admitted: Admitted): void {
  const { subresource, object, old } = admitted;
  if (subresource !== undefined && subresource !== 'ephemeralcontainers') return;
  const { metadata, spec } = object as Pod;
  if (spec === undefined || (old !== undefined && runsTheSame(object, old))) return;
  const policy = policyIn(engine, admitted.namespace);
  if (policy === undefined) return;
  const found = violationsOf(metadata, spec, policy.enforce);
  if (found.length > 0) {
    throw forbidden(
      groupResource(admitted.kind),
      admitted.name,
      `violates ${describeViolations(policy.enforce, found)}`,
    );
  }
  tell(admitted, policy, { metadata, spec });
}

/** An update is looked at only where it could run something else. */
function runsTheSame(object: KubeObject, old: KubeObject): boolean {
  const parts = ({ metadata, spec }: Pod) => [
    ...[spec?.initContainers, spec?.containers, spec?.ephemeralContainers].map((containers = []) =>
      containers.map(({ name, image }) => ({ name, image })),
    ),
    metadata.annotations ?? {},
  ];
  return jsonEqual(parts(object as Pod), parts(old as Pod));
}

function policyIn({ store }: Engine, namespace: string): ReturnType<typeof policyOf> | undefined {
  const stored = store.get(formatKey({ group: '', resource: 'namespaces', namespace: '', name: namespace }));
  // Most namespaces demand nothing, so most need no parsing.
  if (stored?.json.includes('"pod-security.kubernetes.io/') !== true) return undefined;
  return policyOf(toServedObject(stored).metadata);
}

/** Where the template of a kind's pods is. */
const TEMPLATES: Readonly<Record<string, (object: KubeObject) => unknown>> = {
  '/podtemplates': (object) => object['template'],
  '/replicationcontrollers': templateIn,
  'apps/daemonsets': templateIn,
  'apps/deployments': templateIn,
  'apps/replicasets': templateIn,
  'apps/statefulsets': templateIn,
  'batch/jobs': templateIn,
  'batch/cronjobs': (object) => {
    const spec = object['spec'] as { jobTemplate?: KubeObject } | undefined;
    return spec?.jobTemplate === undefined ? undefined : templateIn(spec.jobTemplate);
  },
};

function templateIn(object: KubeObject): unknown {
  return (object['spec'] as { template?: unknown } | undefined)?.template;
}

/** The pods themselves may be refused later; who makes what makes them should know at once. */
function admitTemplate(engine: Engine, admitted: Admitted): void {
  const { group, resource } = groupResource(admitted.kind);
  const find = TEMPLATES[`${group}/${resource}`];
  if (find === undefined || admitted.subresource !== undefined) return;
  const template = find(admitted.object) as PodTemplateSpec | undefined;
  const policy = template?.spec === undefined ? undefined : policyIn(engine, admitted.namespace);
  if (policy === undefined || template?.spec === undefined) return;
  tell(admitted, policy, { metadata: template.metadata ?? {}, spec: template.spec });
}

function tell(
  { warnings, annotations }: Admitted,
  { audit, warn }: ReturnType<typeof policyOf>,
  { metadata, spec }: Pick<Required<Pod>, 'metadata' | 'spec'>,
): void {
  const describe = (standard: Standard): string | undefined => {
    const found = violationsOf(metadata, spec, standard);
    return found.length === 0 ? undefined : `would violate ${describeViolations(standard, found)}`;
  };
  const warning = describe(warn);
  // A request that begins anew has been told.
  if (warning !== undefined && warnings?.includes(warning) === false) warnings.push(warning);
  const noted = describe(audit);
  if (noted !== undefined) annotations?.set(AUDIT_ANNOTATION, noted);
}
