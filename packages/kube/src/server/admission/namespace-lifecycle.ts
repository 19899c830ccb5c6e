/** Nothing is made in a namespace that is not there, or that is going. */
import { formatKey } from '../../store/key.ts';
import { type AdmissionStep, type Admitted, type Engine, groupResource } from '../engine.ts';
import { toServedObject } from '../object-text.ts';
import { forbidden, notFound } from '../statuses.ts';
import { isFor } from './lookup.ts';

/** These are there as long as the server is, even before somebody made the objects. */
const IMMORTAL = new Set(['default', 'kube-system', 'kube-public', 'kube-node-lease']);

export const namespaceLifecycle: AdmissionStep = {
  name: 'NamespaceLifecycle',
  admit: (engine, admitted) => {
    if (admitted.operation === 'DELETE') checkImmortal(admitted);
    if (admitted.operation === 'CREATE' && admitted.kind.row.namespaced) checkNamespace(engine, admitted);
  },
};

function checkImmortal(admitted: Admitted): void {
  if (!isFor(admitted, '', 'namespaces') || !IMMORTAL.has(admitted.name) || admitted.name === 'kube-node-lease') return;
  throw forbidden(groupResource(admitted.kind), admitted.name, 'this namespace may not be deleted');
}

function checkNamespace({ store }: Engine, { kind, namespace, name }: Admitted): void {
  const stored = store.get(formatKey({ group: '', resource: 'namespaces', namespace: '', name: namespace }));
  if (stored === undefined) {
    if (IMMORTAL.has(namespace)) return;
    throw notFound({ group: '', resource: 'namespaces' }, namespace);
  }
  // Most namespaces stay, so most need no parsing.
  if (!stored.json.includes('"deletionTimestamp"')) return;
  if (toServedObject(stored).metadata.deletionTimestamp === undefined) return;
  const error = forbidden(
    groupResource(kind),
    name,
    `unable to create new content in namespace ${namespace} because it is being terminated`,
  );
  const cause = {
    reason: 'NamespaceTerminating',
    message: `namespace ${namespace} is being terminated`,
    field: 'metadata.namespace',
  };
  throw Object.assign(error, { status: { ...error.status, details: { ...error.status.details, causes: [cause] } } });
}
