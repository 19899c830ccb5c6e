/** Nobody grants what they do not hold: asked of security whenever a role or a binding says more than before. */
import type { KubeObject } from '@skerry/api';
import type { PolicyRule, RoleRef, RoleWrite } from '../access-hooks.ts';
import type { AdmissionStep, Admitted } from '../engine.ts';
import { jsonEqual } from '../json-equal.ts';

const GROUP = 'rbac.authorization.k8s.io';

/** What an aggregated role may come to hold. */
const EVERYTHING: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

export const roleGrants: AdmissionStep = {
  name: 'RoleGrants',
  admit: ({ access }, admitted) => {
    const { gvr } = admitted.kind.row;
    if (gvr.group !== GROUP || admitted.operation === 'DELETE') return;
    const write = writeOf(admitted);
    if (gvr.resource.endsWith('bindings')) {
      if (differs(admitted, 'subjects', 'roleRef')) access.checkBinding?.(write, roleRefOf(admitted.object));
      return;
    }
    if (differs(admitted, 'rules')) access.checkRole?.(write, rulesOf(admitted.object));
    if (admitted.object['aggregationRule'] !== undefined && differs(admitted, 'aggregationRule')) {
      access.checkRole?.(write, EVERYTHING);
    }
  },
};

function writeOf({ user, namespace, name }: Admitted): RoleWrite {
  return { user, name, ...(namespace === '' ? {} : { namespace }) };
}

function differs({ object, old }: Admitted, ...fields: readonly string[]): boolean {
  return old === undefined || fields.some((field) => !jsonEqual(old[field], object[field]));
}

function rulesOf({ rules }: KubeObject): readonly PolicyRule[] {
  return Array.isArray(rules) ? (rules as PolicyRule[]) : [];
}

function roleRefOf({ roleRef }: KubeObject): RoleRef {
  return (roleRef ?? { kind: 'Role', name: '' }) as RoleRef;
}
