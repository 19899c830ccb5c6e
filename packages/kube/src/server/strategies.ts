/** Where a kind's lifecycle differs from the rule: one row, never a handler. */
import type { KubeObject } from '@skerry/api';
import type { ServedKind } from './resource-table.ts';

export interface Strategy {
  /** Brings a new object into its first state. The rule: what has a status subresource starts without a status. */
  prepareCreate(object: KubeObject): void;
  /** Whether writes to `status` may also write metadata. */
  readonly statusKeepsMetadata: boolean;
  /** Whether a new object may bring its status along. */
  readonly createsStatus?: boolean;
}

export function strategyOf({ row, isCustom }: ServedKind): Strategy {
  if (isCustom) return row.subresources.includes('status') ? CUSTOM_WITH_STATUS : CUSTOM;
  const special = SPECIAL[`${row.gvr.group}/${row.gvr.resource}`];
  if (special !== undefined) return special;
  return row.subresources.includes('status') ? WITH_STATUS : PLAIN;
}

const PLAIN: Strategy = { prepareCreate: () => {}, statusKeepsMetadata: true };
const WITH_STATUS: Strategy = { prepareCreate: clearStatus, statusKeepsMetadata: true };
const CUSTOM: Strategy = { prepareCreate: () => {}, statusKeepsMetadata: false };
const CUSTOM_WITH_STATUS: Strategy = { prepareCreate: dropStatus, statusKeepsMetadata: false };

const SPECIAL: Readonly<Record<string, Strategy>> = {
  '/namespaces': {
    ...WITH_STATUS,
    prepareCreate: (namespace) => {
      namespace['spec'] = { ...(namespace['spec'] as object | undefined), finalizers: ['kubernetes'] };
      namespace['status'] = { phase: 'Active' };
      namespace.metadata.labels = {
        ...namespace.metadata.labels,
        'kubernetes.io/metadata.name': namespace.metadata.name ?? '',
      };
    },
  },
  '/pods': {
    ...WITH_STATUS,
    prepareCreate: (pod) => {
      pod['status'] = { phase: 'Pending', qosClass: qosClassOf(pod) };
    },
  },
  // A kubelet registers its node with its first status in the same request.
  '/nodes': { ...PLAIN, createsStatus: true },
};

function clearStatus(object: KubeObject): void {
  object['status'] = {};
}

function dropStatus(object: KubeObject): void {
  delete object['status'];
}

interface Resources {
  readonly requests?: Readonly<Record<string, unknown>>;
  readonly limits?: Readonly<Record<string, unknown>>;
}

type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const QOS_RESOURCES = ['cpu', 'memory'] as const;

/** The quality of service of a pod, from the requests and limits of its containers. */
export function qosClassOf(pod: KubeObject): QosClass {
  const spec = pod['spec'] as
    | { containers?: { resources?: Resources }[]; initContainers?: { resources?: Resources }[] }
    | undefined;
  const resources = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].map((one) => one.resources ?? {});
  const isBounded = ({ limits, requests }: Resources) =>
    QOS_RESOURCES.some((name) => limits?.[name] !== undefined || requests?.[name] !== undefined);
  if (!resources.some(isBounded)) return 'BestEffort';
  return resources.every(isGuaranteed) ? 'Guaranteed' : 'Burstable';
}

function isGuaranteed({ limits, requests }: Resources): boolean {
  return QOS_RESOURCES.every(
    (name) => limits?.[name] !== undefined && (requests?.[name] === undefined || requests[name] === limits[name]),
  );
}
