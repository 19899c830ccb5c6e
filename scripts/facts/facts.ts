/** The raw facts as they are committed, and what both generators ask of them. */
import type { FieldLine } from '../../packages/api/src/facts/field-line.ts';
import { parseFieldLine } from '../../packages/api/src/facts/field-line.ts';

export interface Facts {
  /** Each Debian package with its version. */
  readonly sources: Readonly<Record<string, string>>;
  /** Type to its fields: `JSON-NAME GO-TYPE NUMBER:WIRE FLAG…`; a name of `~` is an inlined struct. */
  readonly structs: Readonly<Record<string, readonly string[]>>;
  /** Markers that stand on a struct itself. */
  readonly structMarkers: Readonly<Record<string, string>>;
  /** Named types that are no structs: the underlying type, then the values of an enumeration. */
  readonly named: Readonly<Record<string, readonly string[]>>;
}

/** Our short name of a package, such as `apps.v1`, and where its source is below the root of Go sources. */
export const PACKAGES: Readonly<Record<string, string>> = {
  'core.v1': 'k8s.io/api/core/v1',
  'meta.v1': 'k8s.io/apimachinery/pkg/apis/meta/v1',
  'admissionregistration.v1': 'k8s.io/api/admissionregistration/v1',
  'apiextensions.v1': 'k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1',
  'apps.v1': 'k8s.io/api/apps/v1',
  'authentication.v1': 'k8s.io/api/authentication/v1',
  'authorization.v1': 'k8s.io/api/authorization/v1',
  'autoscaling.v2': 'k8s.io/api/autoscaling/v2',
  'autoscaling.v1': 'k8s.io/api/autoscaling/v1',
  'batch.v1': 'k8s.io/api/batch/v1',
  'certificates.v1': 'k8s.io/api/certificates/v1',
  'coordination.v1': 'k8s.io/api/coordination/v1',
  'discovery.v1': 'k8s.io/api/discovery/v1',
  'events.v1': 'k8s.io/api/events/v1',
  'networking.v1': 'k8s.io/api/networking/v1',
  'node.v1': 'k8s.io/api/node/v1',
  'policy.v1': 'k8s.io/api/policy/v1',
  'rbac.v1': 'k8s.io/api/rbac/v1',
  'resource.v1': 'k8s.io/api/resource/v1',
  'scheduling.v1': 'k8s.io/api/scheduling/v1',
  'storage.v1': 'k8s.io/api/storage/v1',
  'flowcontrol.v1': 'k8s.io/api/flowcontrol/v1',
};

export function fieldsOf(facts: Facts, name: string): FieldLine[] {
  return (facts.structs[name] ?? []).map(parseFieldLine);
}

/** Whether objects of this type say what they are: `apiVersion` and `kind`. */
export function isKind(facts: Facts, name: string): boolean {
  return fieldsOf(facts, name).some(
    ({ json, type }) => json === undefined && type.kind === 'name' && type.name === 'meta.v1.TypeMeta',
  );
}

/** Whether a client may leave the field out (the rule of Kubernetes' own OpenAPI generator). */
export function isOptional({ flags }: FieldLine): boolean {
  return !flags.has('required') && (flags.has('optional') || flags.has('omitempty'));
}
