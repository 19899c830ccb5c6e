/** Group, version, kind and resource: the four words that name a type, and the one parser for each of their formats. */

export interface GroupVersion {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
}

/** A kind as objects name it: `apiVersion` and `kind`. */
export interface Gvk extends GroupVersion {
  readonly kind: string;
}

/** A kind as paths name it: the plural `resource`. */
export interface Gvr extends GroupVersion {
  readonly resource: string;
}

/** Where one object is. `namespace` is absent for cluster-scoped kinds. */
export interface Ref {
  readonly gvr: Gvr;
  readonly namespace?: string;
  readonly name: string;
}

/** Splits `apps/v1` or `v1`; the core group is the empty string. */
export function parseApiVersion(apiVersion: string): GroupVersion {
  const slash = apiVersion.indexOf('/');
  if (slash < 0) return { group: '', version: apiVersion };
  return { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}

export function formatApiVersion({ group, version }: GroupVersion): string {
  return group === '' ? version : `${group}/${version}`;
}

/** `deployments.apps`, or `pods` for the core group: how Status details and error texts name a type. */
export function formatGroupResource({
  group,
  resource,
}: {
  readonly group: string;
  readonly resource: string;
}): string {
  return group === '' ? resource : `${resource}.${group}`;
}

/** The URL path of a collection (no `name`) or of one object, with an optional subresource. */
export function resourcePath(gvr: Gvr, at: { namespace?: string; name?: string; subresource?: string } = {}): string {
  const parts = gvr.group === '' ? ['/api', gvr.version] : ['/apis', gvr.group, gvr.version];
  if (at.namespace !== undefined && at.namespace !== '') parts.push('namespaces', encodeURIComponent(at.namespace));
  parts.push(gvr.resource);
  if (at.name !== undefined) parts.push(encodeURIComponent(at.name));
  if (at.subresource !== undefined) parts.push(at.subresource);
  return parts.join('/');
}
