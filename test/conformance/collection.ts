/** The objects of one kind, in one namespace or all, with every verb. */
import type { KubeList, KubeObject } from '@skerry/api';
import type { Api } from './api.ts';
import type { Watch } from './watch.ts';

export interface Place {
  readonly apiVersion: string;
  readonly kind: string;
  readonly resource: string;
  /** Absent: of the cluster, or of every namespace. */
  readonly namespace?: string;
}

type Query = Readonly<Record<string, string>>;
export type PatchType = 'merge' | 'strategic' | 'json';

const PATCH_TYPES: Readonly<Record<PatchType, string>> = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
};

export class Collection<T extends KubeObject = KubeObject> {
  readonly api: Api;
  readonly place: Place;
  /** Told what was made, so that it can be removed. */
  readonly #onCreate: (path: string) => void;

  constructor(api: Api, place: Place, onCreate: (path: string) => void = () => {}) {
    this.api = api;
    this.place = place;
    this.#onCreate = onCreate;
  }

  /** The same kind elsewhere. */
  in(namespace: string): Collection<T> {
    return new Collection(this.api, { ...this.place, namespace }, this.#onCreate);
  }

  get path(): string {
    const { apiVersion, resource, namespace } = this.place;
    const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    return namespace === undefined ? `${root}/${resource}` : `${root}/namespaces/${namespace}/${resource}`;
  }

  pathOf(name: string, subresource?: string): string {
    return `${this.path}/${name}${subresource === undefined ? '' : `/${subresource}`}`;
  }

  /** apiVersion and kind are filled in. */
  whole(object: object): T {
    const { apiVersion, kind } = this.place;
    return { apiVersion, kind, ...object } as T;
  }

  async create(object: object, query: Query = {}): Promise<T> {
    const made = await this.api.object<T>({ method: 'POST', path: this.path, query, body: this.whole(object) });
    this.#onCreate(this.pathOf(made.metadata.name ?? ''));
    return made;
  }

  get(name: string, subresource?: string): Promise<T> {
    return this.api.get<T>(this.pathOf(name, subresource));
  }

  list(query: Query = {}): Promise<KubeList<T>> {
    return this.api.get<KubeList<T>>(this.path, query);
  }

  replace(object: T, subresource?: string): Promise<T> {
    const path = this.pathOf(object.metadata.name ?? '', subresource);
    return this.api.object<T>({ method: 'PUT', path, body: object });
  }

  /** Reads, changes and writes, again when somebody else was faster. */
  async change(name: string, change: (object: T) => void, subresource?: string): Promise<T> {
    for (;;) {
      const object = await this.get(name, subresource);
      change(object);
      const answer = await this.api.ask({ method: 'PUT', path: this.pathOf(name, subresource), body: object });
      if (answer.status === 200) return JSON.parse(answer.text) as T;
      if (answer.status !== 409) throw new Error(`PUT ${this.pathOf(name, subresource)}: ${answer.text}`);
    }
  }

  patch(name: string, patch: object, type: PatchType = 'merge', subresource?: string): Promise<T> {
    const path = this.pathOf(name, subresource);
    return this.api.object<T>({ method: 'PATCH', path, body: patch, type: PATCH_TYPES[type] });
  }

  apply(object: object, query: Query = {}): Promise<T> {
    const body = this.whole(object);
    const path = this.pathOf(body.metadata.name ?? '');
    const all = { fieldManager: 'conformance', ...query };
    return this.api.object<T>({ method: 'PATCH', path, query: all, body, type: 'application/apply-patch+yaml' });
  }

  delete(name: string, options: object = {}): Promise<KubeObject> {
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', ...options };
    return this.api.object({ method: 'DELETE', path: this.pathOf(name), body });
  }

  deleteAll(labelSelector: string, options: object = {}): Promise<KubeObject> {
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', ...options };
    return this.api.object({ method: 'DELETE', path: this.path, query: { labelSelector }, body });
  }

  watch(query: Query = {}): Promise<Watch<T>> {
    return this.api.watch<T>(this.path, query);
  }
}
