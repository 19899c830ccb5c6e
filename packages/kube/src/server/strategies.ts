/** Where a kind's lifecycle differs from the rule: one row, never a handler. */
import type { KubeObject } from '@skerry/api';
import { qosClass } from '@skerry/api/validation';
import type { ServedKind } from './resource-table.ts';

export interface Strategy {
  /** Whether a new object may bring its status along. The rule: what has a status subresource starts without one. */
  readonly createsStatus?: boolean;
  /** Whether writes to `status` may also write metadata. */
  readonly statusKeepsMetadata: boolean;
  /** The first state of a new object, once its defaults are filled in. */
  readonly begin?: (object: KubeObject) => void;
  /** What updates of the object itself do not write although it stands in the spec. */
  readonly keep?: (object: KubeObject, old: KubeObject) => void;
}

export function strategyOf({ row, isCustom }: ServedKind): Strategy {
  if (isCustom) return CUSTOM;
  return SPECIAL[`${row.gvr.group}/${row.gvr.resource}`] ?? BUILTIN;
}

/** A new object's status is the server's to write. */
export function dropForeignStatus(kind: ServedKind, object: KubeObject): void {
  if (!kind.row.subresources.includes('status') || strategyOf(kind).createsStatus === true) return;
  if (kind.isCustom) delete object['status'];
  else object['status'] = {};
}

const BUILTIN: Strategy = { statusKeepsMetadata: true };
const CUSTOM: Strategy = { statusKeepsMetadata: false };

const SPECIAL: Readonly<Record<string, Strategy>> = {
  '/namespaces': {
    ...BUILTIN,
    begin: (namespace) => {
      namespace['spec'] = { ...(namespace['spec'] as object | undefined), finalizers: ['kubernetes'] };
      namespace['status'] = { phase: 'Active' };
    },
    keep: (namespace, old) => {
      const { finalizers } = (old['spec'] ?? {}) as { finalizers?: readonly string[] };
      namespace['spec'] = {
        ...(namespace['spec'] as object | undefined),
        ...(finalizers === undefined ? {} : { finalizers }),
      };
    },
  },
  '/pods': {
    ...BUILTIN,
    begin: (pod) => {
      pod['status'] = { phase: 'Pending', qosClass: qosClass(pod) };
    },
  },
  // What was asked for is what is approved.
  'certificates.k8s.io/certificatesigningrequests': {
    ...BUILTIN,
    keep: (request, old) => {
      request['spec'] = old['spec'];
    },
  },
  'batch/jobs': { ...BUILTIN, begin: selectOwnPods },
  // A kubelet registers its node with its first status in the same request.
  '/nodes': { ...BUILTIN, createsStatus: true },
};

interface NewJob {
  readonly manualSelector?: boolean;
  readonly template?: { readonly metadata?: { readonly labels?: Readonly<Record<string, string>> } };
}

/** A job's pods are known by its uid, so that no two jobs ever share one; `manualSelector` leaves that to the writer. */
function selectOwnPods(job: KubeObject): void {
  const spec = (job['spec'] ?? {}) as NewJob;
  if (spec.manualSelector === true) return;
  const { uid = '', name = '' } = job.metadata;
  const labels = {
    ...spec.template?.metadata?.labels,
    'controller-uid': uid,
    'batch.kubernetes.io/controller-uid': uid,
    'job-name': name,
    'batch.kubernetes.io/job-name': name,
  };
  const template = { ...spec.template, metadata: { ...spec.template?.metadata, labels } };
  job['spec'] = { ...spec, selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } }, template };
  if (Object.keys(job.metadata.labels ?? {}).length === 0) job.metadata.labels = { ...labels };
}
