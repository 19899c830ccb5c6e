/** What one case works with: a namespace of its own on the server under test, and everything it makes removed at the end. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { KubeObject } from '@skerry/api';
import { type CommandResult, eventually, type KubectlOptions, kubectl, tryKubectl } from '@skerry/testkit/processes';
import { type Api, type Refusal, Refused } from './api.ts';
import { Collection, type Place } from './collection.ts';
import { KINDS, type KindName, type Shape } from './kinds.ts';

/** The server under test. */
export interface Target {
  readonly api: Api;
  /** One with a shell, which its nodes can run. */
  readonly image: string;
}

const PATIENCE = { timeoutMs: 60_000 };

export class Lab implements AsyncDisposable {
  readonly api: Api;
  readonly image: string;
  readonly namespace: string;
  /** Part of every name of cluster-scoped objects, so that cases and runs do not meet. */
  readonly id: string;
  readonly #made: string[] = [];

  static async open({ api, image }: Target): Promise<Lab> {
    const lab = new Lab(api, image);
    await lab.makeNamespace(lab.namespace);
    return lab;
  }

  private constructor(api: Api, image: string) {
    this.api = api;
    this.image = image;
    this.id = randomBytes(4).toString('hex');
    this.namespace = `conformance-${this.id}`;
  }

  /** Objects of a kind, in the case's namespace or of the cluster. */
  of<Name extends KindName>(kind: Name): Collection<Shape<Name>> {
    const { apiVersion, resource, isNamespaced } = KINDS[kind];
    const where = isNamespaced ? { namespace: this.namespace } : {};
    return this.collection<Shape<Name>>({ apiVersion, kind, resource, ...where });
  }

  /** Of all namespaces. */
  everywhere<Name extends KindName>(kind: Name): Collection<Shape<Name>> {
    const { apiVersion, resource } = KINDS[kind];
    return this.collection<Shape<Name>>({ apiVersion, kind, resource });
  }

  collection<T extends KubeObject>(place: Place): Collection<T> {
    return new Collection<T>(this.api, place, (path) => this.#made.push(path));
  }

  /** A further namespace; the labels are for selecting those of the case. */
  async makeNamespace(name = `conformance-${this.id}-more`): Promise<string> {
    await this.of('Namespace').create({ metadata: { name, labels: { conformance: this.id } } });
    return name;
  }

  kubectl(args: readonly string[], options?: KubectlOptions): Promise<string> {
    return kubectl(this.api.kubeconfig, ['-n', this.namespace, ...args], options);
  }

  tryKubectl(args: readonly string[], options?: KubectlOptions): Promise<CommandResult> {
    return tryKubectl(this.api.kubeconfig, ['-n', this.namespace, ...args], options);
  }

  /** Waits for what controllers and nodes bring about. */
  eventually<T>(what: string, attempt: () => Promise<T | undefined | false>): Promise<T> {
    return eventually(what, attempt, PATIENCE);
  }

  /** In the opposite order of their making; what is gone already is fine. */
  async [Symbol.asyncDispose](): Promise<void> {
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' };
    for (const path of this.#made.reverse()) {
      // The namespace takes what is in it along.
      if (path.includes(`/namespaces/${this.namespace}/`)) continue;
      await this.api.ask({ method: 'DELETE', path, body });
    }
  }
}

export interface Expected {
  readonly code: number;
  readonly reason?: string;
  readonly message?: RegExp | string;
}

/** The request is refused just so. */
export async function refused(request: Promise<unknown>, { code, reason, message }: Expected): Promise<Refusal> {
  const status = await request.then(
    (answer) => assert.fail(`was not refused: ${JSON.stringify(answer)}`),
    (error: unknown) => {
      if (error instanceof Refused) return error.status;
      throw error;
    },
  );
  assert.equal(status.code, code, JSON.stringify(status));
  if (reason !== undefined) assert.equal(status.reason, reason, status.message);
  if (typeof message === 'string') assert.equal(status.message, message);
  if (message instanceof RegExp) assert.match(status.message ?? '', message);
  return status;
}

/** It is not there. */
export function absent(request: Promise<unknown>): Promise<Refusal> {
  return refused(request, { code: 404, reason: 'NotFound' });
}

/** Whatever is at a path like `spec.template.spec`. */
export function at(object: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], object);
}
