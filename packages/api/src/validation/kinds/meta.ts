/** `metadata`: the same rules for every kind but for the format of the name. */
import { at, isObject, type JsonObject, objectAt, objectsAt } from '../../json.ts';
import type { KubeObject } from '../../object.ts';
import type { ResourceRow } from '../../resource.ts';
import type { FieldError } from '../../schema.ts';
import { forbidden, invalid, required, tooLong } from '../../walker/field-errors.ts';
import {
  checkDns1035Label,
  checkDnsLabel,
  checkDnsSubdomain,
  checkLabelValue,
  checkPathSegment,
  checkQualifiedName,
  MAX_ANNOTATIONS_BYTES,
} from '../names.ts';
import { type Faults, isAbsent, present, problems } from './checks.ts';
import { checkAddressName } from './service-network.ts';

type NameCheck = (name: string) => string[];

/** Where a name is not a DNS subdomain. */
const NAME_CHECKS: Readonly<Record<string, NameCheck>> = {
  '/Namespace': checkDnsLabel,
  '/Service': checkDns1035Label,
  'networking.k8s.io/IPAddress': checkAddressName,
  'apps/StatefulSet': checkDnsLabel,
  'rbac.authorization.k8s.io/Role': checkPathSegment,
  'rbac.authorization.k8s.io/ClusterRole': checkPathSegment,
  'rbac.authorization.k8s.io/RoleBinding': checkPathSegment,
  'rbac.authorization.k8s.io/ClusterRoleBinding': checkPathSegment,
};

export type MetaRow = Pick<ResourceRow, 'gvk' | 'namespaced'>;

/** Checks the metadata of a new or changed object, name and namespace already settled. */
export function validateMeta({ gvk, namespaced }: MetaRow, object: KubeObject): FieldError[] {
  const faults: Faults = [];
  const metadata = objectAt(object, 'metadata');
  const check = NAME_CHECKS[`${gvk.group}/${gvk.kind}`] ?? checkDnsSubdomain;
  checkName(faults, metadata, check);
  checkNamespace(faults, metadata['namespace'], namespaced);
  checkLabels(faults, 'metadata.labels', metadata['labels']);
  checkAnnotations(faults, 'metadata.annotations', metadata['annotations']);
  checkFinalizers(faults, metadata['finalizers']);
  checkOwners(faults, metadata);
  return faults;
}

function checkName(faults: Faults, { name, generateName }: JsonObject, check: NameCheck): void {
  if (typeof generateName === 'string' && generateName !== '') {
    // The suffix that will follow makes a trailing dash or dot harmless.
    problems(faults, 'metadata.generateName', generateName, check(generateName.replace(/[-.]$/, 'a')));
  }
  if (isAbsent(name)) {
    if (isAbsent(generateName)) faults.push(required('metadata.name', 'name or generateName is required'));
    return;
  }
  problems(faults, 'metadata.name', name, check(String(name)));
}

function checkNamespace(faults: Faults, namespace: unknown, isNamespaced: boolean): void {
  if (!isNamespaced) {
    if (!isAbsent(namespace)) faults.push(forbidden('metadata.namespace', 'not allowed on this type'));
  } else if (present(faults, 'metadata.namespace', namespace)) {
    problems(faults, 'metadata.namespace', namespace, checkDnsLabel(String(namespace)));
  }
}

export function checkLabels(faults: Faults, path: string, labels: unknown): void {
  if (!isObject(labels)) return;
  for (const [key, value] of Object.entries(labels)) {
    problems(faults, path, key, checkQualifiedName(key));
    problems(faults, path, value, checkLabelValue(String(value)));
  }
}

export function checkAnnotations(faults: Faults, path: string, annotations: unknown): void {
  if (!isObject(annotations)) return;
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations)) {
    problems(faults, path, key, checkQualifiedName(key.toLowerCase()));
    bytes += byteLength(key) + byteLength(String(value));
  }
  if (bytes > MAX_ANNOTATIONS_BYTES) faults.push(tooLong(path, MAX_ANNOTATIONS_BYTES));
}

const encoder = new TextEncoder();

export function byteLength(text: string): number {
  return encoder.encode(text).length;
}

function checkFinalizers(faults: Faults, finalizers: unknown): void {
  if (!Array.isArray(finalizers)) return;
  for (const finalizer of finalizers) {
    problems(faults, 'metadata.finalizers', finalizer, checkQualifiedName(String(finalizer)));
  }
}

function checkOwners(faults: Faults, metadata: JsonObject): void {
  const controllers: string[] = [];
  for (const [index, owner] of objectsAt(metadata, 'ownerReferences').entries()) {
    const path = 'metadata.ownerReferences';
    if (isAbsent(owner['apiVersion']))
      faults.push(invalid(`${path}[${index}].apiVersion`, '', 'version must not be empty'));
    for (const field of ['kind', 'name', 'uid']) {
      if (isAbsent(owner[field])) faults.push(invalid(`${path}[${index}].${field}`, '', 'must not be empty'));
    }
    if (owner['controller'] === true) controllers.push(String(at(owner, 'name')));
  }
  if (controllers.length > 1) {
    const text = `Only one reference can have Controller set to true. Found "true" in references for ${controllers.join(' and ')}`;
    faults.push(invalid('metadata.ownerReferences', controllers, text));
  }
}
