/**
 * Requests for certificates say who asked, which the server writes and nobody else. Who approves or signs them must be
 * allowed to for the signer that is named, beyond being allowed to write the object.
 */
import type { FieldError, KubeObject, UserInfo } from '@skerry/api';
import { type AdmissionStep, type Admitted, type Engine, fault, groupResource, nowText } from '../engine.ts';
import { jsonEqual } from '../json-equal.ts';
import { forbidden, invalid } from '../statuses.ts';
import { isFor } from './lookup.ts';

const GROUP = 'certificates.k8s.io';

/** What was decided for good: these conditions never go, and are never False. */
const DECISIONS: readonly string[] = ['Approved', 'Denied', 'Failed'];
const APPROVALS: readonly string[] = ['Approved', 'Denied'];

interface Condition {
  readonly type?: string;
  readonly status?: string;
  readonly lastUpdateTime?: string;
  readonly lastTransitionTime?: string;
}

interface Status {
  readonly conditions?: readonly Condition[];
  readonly certificate?: string;
}

export const certificateRequests: AdmissionStep = {
  name: 'CertificateRequests',
  admit: (engine, admitted) => {
    if (!isFor(admitted, GROUP, 'certificatesigningrequests') || admitted.operation === 'DELETE') return;
    const { object, old, user, subresource } = admitted;
    if (old === undefined) object['spec'] = { ...(object['spec'] as object | undefined), ...requester(user) };
    else if (subresource === 'approval') approve(engine, admitted, old);
    else if (subresource === 'status') sign(engine, admitted, old);
  },
};

function requester({ username, uid, groups, extra }: UserInfo): object {
  return { username, groups, uid: uid === '' ? undefined : uid, extra };
}

/** Writes conditions and nothing else of the status. */
function approve(engine: Engine, admitted: Admitted, old: KubeObject): void {
  mustBeAllowed(engine, admitted, 'approve');
  const { conditions = [] } = statusOf(admitted.object);
  settle(engine, admitted, old, { ...statusOf(old), conditions });
}

function sign(engine: Engine, admitted: Admitted, old: KubeObject): void {
  const before = statusOf(old);
  const { conditions = [], certificate } = statusOf(admitted.object);
  const kept = keepApprovals(before.conditions ?? [], conditions);
  const failed = (list: readonly Condition[] = []) => list.filter(({ type }) => type === 'Failed');
  if (certificate !== before.certificate || !jsonEqual(failed(conditions), failed(before.conditions))) {
    mustBeAllowed(engine, admitted, 'sign');
  }
  settle(engine, admitted, old, { ...statusOf(admitted.object), conditions: kept });
}

function mustBeAllowed({ authorizer }: Engine, { user, kind, name, old }: Admitted, verb: 'approve' | 'sign'): void {
  const { signerName = '' } = (old?.['spec'] ?? {}) as { readonly signerName?: string };
  const [domain = ''] = signerName.split('/');
  const isAllowed = [signerName, `${domain}/*`].some((signer) => {
    const resource = { group: GROUP, version: '*', resource: 'signers', name: signer };
    return authorizer.authorize({ user, verb, path: '', resource }).allowed;
  });
  if (isAllowed) return;
  throw forbidden(groupResource(kind), name, `user not permitted to ${verb} requests with signerName "${signerName}"`);
}

/** An approval that was there stays exactly what it was. */
function keepApprovals(before: readonly Condition[], wanted: readonly Condition[]): readonly Condition[] {
  const old = new Map(before.filter(({ type = '' }) => APPROVALS.includes(type)).map((each) => [each.type, each]));
  return wanted.map((condition) => old.get(condition.type) ?? condition);
}

function settle(engine: Engine, admitted: Admitted, old: KubeObject, status: Status): void {
  const before = statusOf(old);
  const conditions = (status.conditions ?? []).map((each) => timed(nowText(engine.clock), each, before.conditions));
  const { certificate } = status;
  admitted.object['status'] = {
    ...(conditions.length === 0 ? {} : { conditions }),
    ...(certificate === undefined || certificate === '' ? {} : { certificate }),
  };
  const faults = [
    ...faultsOfConditions(conditions),
    ...faultsOfChange(
      before,
      { conditions, ...(certificate === undefined ? {} : { certificate }) },
      admitted.subresource,
    ),
  ];
  if (faults.length > 0) throw invalid(admitted.kind.row.gvk, admitted.name, faults);
}

function timed(now: string, condition: Condition, before: readonly Condition[] = []): Condition {
  const same = before.find(({ type, status }) => type === condition.type && status === condition.status);
  return {
    ...condition,
    lastUpdateTime: condition.lastUpdateTime ?? now,
    lastTransitionTime: condition.lastTransitionTime ?? same?.lastTransitionTime ?? now,
  };
}

function faultsOfConditions(conditions: readonly Condition[]): FieldError[] {
  const faults: FieldError[] = [];
  const types = new Set<string>();
  for (const [index, { type = '', status = '' }] of conditions.entries()) {
    const path = `status.conditions[${index}]`;
    if (type === '') faults.push(fault('FieldValueRequired', `${path}.type`, 'Required value'));
    if (types.has(type)) faults.push(fault('FieldValueDuplicate', `${path}.type`, `Duplicate value: "${type}"`));
    types.add(type);
    if (status === '') faults.push(fault('FieldValueRequired', `${path}.status`, 'Required value'));
    else if (DECISIONS.includes(type) && status !== 'True') {
      const text = `Unsupported value: "${status}": supported values: "True"`;
      faults.push(fault('FieldValueNotSupported', `${path}.status`, text));
    }
  }
  if (APPROVALS.every((type) => types.has(type))) {
    const text = 'Invalid value: "Denied": Approved and Denied conditions are mutually exclusive';
    faults.push(fault('FieldValueInvalid', 'status.conditions', text));
  }
  return faults;
}

function faultsOfChange(before: Status, after: Status, subresource: string | undefined): FieldError[] {
  const faults: FieldError[] = [];
  const has = ({ conditions = [] }: Status, wanted: string) => conditions.some(({ type }) => type === wanted);
  for (const type of DECISIONS) {
    const [was, is] = [has(before, type), has(after, type)];
    const isForeign = subresource === 'status' && APPROVALS.includes(type);
    const what = was && !is ? 'remove' : !was && is && isForeign ? 'add' : undefined;
    if (what === undefined) continue;
    const text = `Forbidden: updates may not ${what} a condition of type "${type}"`;
    faults.push(fault('FieldValueForbidden', 'status.conditions', text));
  }
  const { certificate = '' } = before;
  if (certificate !== '' && certificate !== after.certificate) {
    const text = 'Forbidden: updates may not modify existing certificate content';
    faults.push(fault('FieldValueForbidden', 'status.certificate', text));
  }
  return faults;
}

function statusOf(object: KubeObject): Status {
  return (object['status'] ?? {}) as Status;
}
