/** The AdmissionRequest of `admission.k8s.io/v1`: what webhooks are sent, and expressions see as `request`. */
import type { Gvk, Gvr, KubeObject, UserInfo } from '@skerry/api';
import type { Engine } from '../../engine.ts';
import type { Operation, Review } from './contract.ts';
import { inMatchedVersion, type Match } from './rules.ts';

export interface AdmissionRequest {
  readonly uid: string;
  /** As it was matched. */
  readonly kind: Gvk;
  readonly resource: Gvr;
  readonly subResource?: string;
  /** As it was sent. */
  readonly requestKind: Gvk;
  readonly requestResource: Gvr;
  readonly requestSubResource?: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly operation: Operation;
  readonly userInfo: UserInfo;
  readonly object: KubeObject | null;
  readonly oldObject: KubeObject | null;
  readonly dryRun: boolean;
  readonly options: object | null;
}

export function admissionRequestOf(engine: Engine, review: Review, match: Match, uid: string): AdmissionRequest {
  const { call, gvk, name, namespace, operation, object, old, dryRun, options } = review;
  const { subresource } = call.route;
  return {
    uid,
    kind: match.kind,
    resource: match.resource,
    ...(subresource === undefined ? {} : { subResource: subresource }),
    requestKind: gvk,
    requestResource: call.kind.row.gvr,
    ...(subresource === undefined ? {} : { requestSubResource: subresource }),
    ...(name === '' ? {} : { name }),
    ...(namespace === '' ? {} : { namespace }),
    operation,
    userInfo: call.user,
    object: inMatchedVersion(engine, review, object, match),
    oldObject: inMatchedVersion(engine, review, old, match),
    dryRun,
    options: Object.keys(options).length === 0 ? null : options,
  };
}
