/** What every verb of the registry shares: the store, the clock, the table of kinds, and one request on its way. */
import type { Authorizer, FieldError, KubeObject, ResourceRow, UserInfo } from '@skerry/api';
import { formatApiVersion, StatusError } from '@skerry/api';
import type { CustomRules } from '@skerry/api/crd';
import type { Clock, Logger, RandomBytes } from '@skerry/base';
import type { Store, StoredObject } from '../store/contract.ts';
import { formatKey } from '../store/key.ts';
import type { NodeDialer } from '../streaming/contract.ts';
import type { AccessHooks } from './access-hooks.ts';
import type { Reviewer } from './admission/review/contract.ts';
import type { ParseYaml } from './body.ts';
import type { ApiRequest } from './contract.ts';
import type { Wanted } from './negotiate.ts';
import type { View } from './object-text.ts';
import type { ReplicaHooks } from './replica-writes.ts';
import type { ResourceTable, ServedKind } from './resource-table.ts';
import type { ResourceRoute } from './route.ts';
import { badRequest, type GroupResource } from './statuses.ts';

export interface Engine {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: RandomBytes;
  readonly table: ResourceTable;
  readonly authorizer: Authorizer;
  readonly admission: readonly AdmissionStep[];
  /** Policies, then webhooks: asked after the steps of admission. */
  readonly reviewers: readonly Reviewer[];
  readonly access: AccessHooks;
  /** Reaches the programs on nodes; absent where there are none to reach. */
  readonly dialer?: NodeDialer;
  readonly parseYaml?: ParseYaml;
  /** Evaluates the rules of custom resources; without it they are kept and warned of. */
  readonly rules?: CustomRules;
  /** Present when the store is a replica of somebody else's truth. */
  readonly replica?: ReplicaHooks;
}

/** One request for a resource. */
export interface Call {
  readonly request: ApiRequest;
  readonly route: ResourceRoute;
  readonly kind: ServedKind;
  readonly user: UserInfo;
  readonly wanted: Wanted;
  /** Texts of `Warning` headers, added as they come up. */
  readonly warnings: string[];
  /** When it came, in milliseconds; it stays so when the request begins anew. */
  readonly receivedAt: number;
  /** What it has waited for, by what was asked; read when it begins anew. */
  readonly answers: Map<string, unknown>;
  /** What reviewers want to be found in the audit log. */
  readonly annotations: Map<string, string>;
}

/** What a write would do, before it is done. */
export interface Admitted {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE';
  readonly kind: ServedKind;
  readonly user: UserInfo;
  readonly namespace: string;
  readonly name: string;
  readonly subresource?: string;
  /** To be changed in place; for DELETE the object that goes. */
  readonly object: KubeObject;
  readonly old?: KubeObject;
  readonly dryRun: boolean;
  /** Takes what the author should know although the write is accepted; absent where nobody would be told. */
  readonly warnings?: string[];
  /** Takes what the audit log should say of the write. */
  readonly annotations?: Map<string, string>;
}

/** Looks at a write before validation: changes the object in place, throws a StatusError to refuse. */
export interface AdmissionStep {
  readonly name: string;
  /** Only looks, so it comes once nobody changes the object any more. */
  readonly onlyLooks?: boolean;
  admit(engine: Engine, admitted: Admitted): void;
}

/** What a step throws that must find something out first: the whole request begins anew once `ready` resolves. */
export class AdmissionPending extends StatusError {
  readonly ready: Promise<unknown>;

  constructor(ready: Promise<unknown>) {
    super(503, 'ServiceUnavailable', 'what the object depends on keeps changing: try again');
    this.ready = ready;
  }
}

export function groupResource({ row }: ServedKind): GroupResource {
  return { group: row.gvr.group, resource: row.gvr.resource };
}

export function keyOf(row: ResourceRow, namespace: string | undefined, name: string): string {
  const { resource } = row.gvr;
  return formatKey({ group: storageGroup(row), resource, namespace: row.namespaced ? (namespace ?? '') : '', name });
}

/** The group in whose name the store keeps a kind. */
export function storageGroup({ gvr, storageGroup: group = gvr.group }: ResourceRow): string {
  return group;
}

/** How to show what is stored in answers; undefined when it is shown as it is. */
export function viewOf({ row, storageVersion, conversion }: ServedKind): View | undefined {
  if (row.gvr.version === storageVersion && row.gvr.group === storageGroup(row)) return undefined;
  const apiVersion = formatApiVersion(row.gvr);
  return conversion === undefined ? { apiVersion } : { apiVersion, convert: conversion.toServed };
}

/** A served object in the version that the store keeps. */
export function inStoredVersion({ row, storageVersion, conversion }: ServedKind, object: KubeObject): KubeObject {
  const converted = conversion?.toStored(object) ?? object;
  return { ...converted, apiVersion: formatApiVersion({ group: storageGroup(row), version: storageVersion }) };
}

export function nowText(clock: Pick<Clock, 'now'>): string {
  return timeText(clock.now());
}

/** Milliseconds as the API writes times. */
export function timeText(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}

/** The object a route names, or undefined. */
export function find(engine: Engine, call: Pick<Call, 'kind' | 'route'>): StoredObject | undefined {
  return engine.store.get(keyOf(call.kind.row, call.route.namespace, nameOf(call.route)));
}

export function nameOf(route: ResourceRoute): string {
  if (route.name === undefined) throw badRequest('name must be provided');
  return route.name;
}

export function fault(reason: FieldError['reason'], path: string, text: string): FieldError {
  return { reason, path, message: `${path}: ${text}` };
}
