/** What the API offers, as clients ask for it: the old documents one by one, and the aggregated one that current clients read. */
import { subresourceKind } from '../facts/index.ts';
import { formatApiVersion, type GroupVersion, type Gvk } from '../names.ts';
import type { ResourceRow } from '../resource.ts';
import { SUBRESOURCE_VERBS } from './operations.ts';

export interface ApiResource {
  readonly name: string;
  readonly singularName: string;
  readonly namespaced: boolean;
  readonly group?: string;
  readonly version?: string;
  readonly kind: string;
  readonly verbs: readonly string[];
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
}

export interface ApiResourceList {
  readonly kind: 'APIResourceList';
  readonly apiVersion: 'v1';
  readonly groupVersion: string;
  readonly resources: readonly ApiResource[];
}

export interface ApiGroup {
  readonly name: string;
  readonly versions: readonly { readonly groupVersion: string; readonly version: string }[];
  readonly preferredVersion: { readonly groupVersion: string; readonly version: string };
}

/** `/api`. */
export function apiVersions(serverAddress: string): object {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
  };
}

/** `/apis`: every group but the core one. */
export function apiGroupList(rows: readonly ResourceRow[]): object {
  const names = new Set(rows.map(({ gvr }) => gvr.group).filter((group) => group !== ''));
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: [...names].map((name) => apiGroup(name, rows)) };
}

/** `/apis/GROUP`; undefined when no row is in that group. */
export function apiGroupDocument(name: string, rows: readonly ResourceRow[]): object | undefined {
  const isThere = rows.some(({ gvr }) => gvr.group === name);
  return isThere ? { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(name, rows) } : undefined;
}

function apiGroup(name: string, rows: readonly ResourceRow[]): ApiGroup {
  const versions = versionsOf(name, rows).map((version) => ({
    groupVersion: formatApiVersion({ group: name, version }),
    version,
  }));
  return { name, versions, preferredVersion: versions[0] ?? { groupVersion: name, version: '' } };
}

/** `/api/v1`, `/apis/apps/v1`; undefined when no row is there. */
export function apiResourceList(groupVersion: GroupVersion, rows: readonly ResourceRow[]): ApiResourceList | undefined {
  const wanted = formatApiVersion(groupVersion);
  const own = rows.filter(({ gvr }) => formatApiVersion(gvr) === wanted);
  if (own.length === 0) return undefined;
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: wanted, resources: own.flatMap(apiResources) };
}

function apiResources(row: ResourceRow): ApiResource[] {
  const main: ApiResource = {
    name: row.gvr.resource,
    singularName: row.singular,
    namespaced: row.namespaced,
    kind: row.gvk.kind,
    verbs: row.verbs,
    ...(row.shortNames.length === 0 ? {} : { shortNames: row.shortNames }),
    ...(row.categories.length === 0 ? {} : { categories: row.categories }),
  };
  return [main, ...row.subresources.map((subresource) => apiSubresource(row, subresource))];
}

function apiSubresource(row: ResourceRow, subresource: string): ApiResource {
  const gvk = subresourceKind(row, subresource);
  const isElsewhere = gvk.group !== row.gvk.group || gvk.version !== row.gvk.version;
  return {
    name: `${row.gvr.resource}/${subresource}`,
    singularName: '',
    namespaced: row.namespaced,
    ...(isElsewhere ? { group: gvk.group, version: gvk.version } : {}),
    kind: gvk.kind,
    verbs: SUBRESOURCE_VERBS[subresource] ?? [],
  };
}

/** The aggregated document (apidiscovery.k8s.io/v2): of `/api` when `core` is asked for, of `/apis` otherwise. */
export function aggregatedDiscovery(rows: readonly ResourceRow[], which: 'core' | 'groups'): object {
  const own = rows.filter(({ gvr }) => (gvr.group === '') === (which === 'core'));
  const groups = [...new Set(own.map(({ gvr }) => gvr.group))];
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: groups.map((name) => ({
      metadata: name === '' ? {} : { name },
      versions: versionsOf(name, own).map((version) => ({
        version,
        freshness: 'Current',
        resources: own.filter(({ gvr }) => gvr.group === name && gvr.version === version).map(aggregatedResource),
      })),
    })),
  };
}

function aggregatedResource(row: ResourceRow): object {
  const subresources = row.subresources.map((subresource) => ({
    subresource,
    responseKind: responseKind(subresourceKind(row, subresource)),
    verbs: SUBRESOURCE_VERBS[subresource] ?? [],
  }));
  return {
    resource: row.gvr.resource,
    responseKind: responseKind(row.gvk),
    scope: row.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: row.singular,
    verbs: row.verbs,
    ...(row.shortNames.length === 0 ? {} : { shortNames: row.shortNames }),
    ...(row.categories.length === 0 ? {} : { categories: row.categories }),
    ...(subresources.length === 0 ? {} : { subresources }),
  };
}

function responseKind({ group, version, kind }: Gvk): Gvk {
  return { group, version, kind };
}

/** The versions of a group, the preferred one first. */
function versionsOf(group: string, rows: readonly ResourceRow[]): string[] {
  const versions = rows.filter(({ gvr }) => gvr.group === group).map(({ gvr }) => gvr.version);
  return [...new Set(versions)].sort(compareVersions);
}

const VERSION = /^v(\d+)(?:(alpha|beta)(\d+))?$/;
const STABILITY = ['', 'beta', 'alpha'];

/** Kubernetes' order: stable before beta before alpha, higher numbers first, names of another form last. */
export function compareVersions(left: string, right: string): number {
  const [a, b] = [VERSION.exec(left), VERSION.exec(right)];
  if (a === null || b === null) return a === b ? (left < right ? -1 : 1) : a === null ? 1 : -1;
  const stability = STABILITY.indexOf(a[2] ?? '') - STABILITY.indexOf(b[2] ?? '');
  return stability || Number(b[1]) - Number(a[1]) || Number(b[3] ?? 0) - Number(a[3] ?? 0);
}
