/** One row a kind: everything the server, the replica and the authorizer need to know of it. A new kind adds a row, never code. */
import type { Gvk, Gvr } from './names.ts';

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

/** A printed column of `kubectl get` for a custom resource (additionalPrinterColumns). */
export interface PrinterColumn {
  readonly name: string;
  readonly type: string;
  readonly format?: string;
  readonly description?: string;
  readonly priority?: number;
  readonly jsonPath: string;
}

/** From an object to what it needs at its node: the replica and the node authorizer follow the same row. */
export interface Relation {
  readonly to: Gvr;
  /** Dotted paths to names in the same namespace; `[]` after a list, `spec.volumes[].configMap.name`. Empty with `select`. */
  readonly namePaths: readonly string[];
}

export interface ResourceRow {
  readonly gvr: Gvr;
  readonly gvk: Gvk;
  readonly listKind: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly Verb[];
  /** `status`, `scale`, `log`, `exec`, `attach`, `portforward`, `binding`, `eviction`, `token`, `approval`, `finalize`, `ephemeralcontainers`, `resize`, `proxy`. */
  readonly subresources: readonly string[];
  /** Field selector paths beyond metadata.name and metadata.namespace. */
  readonly selectableFields: readonly string[];
  /** Whether spec changes raise `metadata.generation`. */
  readonly tracksGeneration: boolean;
  /** The group under whose name the store keeps them, where another group serves the same objects in another shape. */
  readonly storageGroup?: string;
  /** Where objects of this kind come from; `edge` kinds may be created at an edge while it is cut off. */
  readonly origin: 'cloud' | 'edge';
  /** Dotted spec paths that an edge may write while cut off. */
  readonly edgeWritable: readonly string[];
  /** The dotted path of the node's name for kinds bound to one node, such as `spec.nodeName`; `status.nodes[]` for placed kinds. */
  readonly nodePath?: string;
  readonly relations: readonly Relation[];
  readonly printerColumns?: readonly PrinterColumn[];
  /** `spec.replicas`, `status.replicas` and the label selector's path, for kinds with `scale`. */
  readonly scale?: { readonly specPath: string; readonly statusPath: string; readonly selectorPath?: string };
}
