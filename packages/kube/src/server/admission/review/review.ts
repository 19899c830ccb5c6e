/** A request on its way past the reviewers. */
import { formatApiVersion, type Gvk, type KubeObject } from '@skerry/api';
import { schemaFor } from '@skerry/api/facts';
import { applyDefaults } from '@skerry/api/walker';
import { type Call, type Engine, nameOf } from '../../engine.ts';
import { isRecord } from '../../incoming.ts';
import { fillDefaults, shape, shapeAs } from '../../shaping.ts';
import { badRequest } from '../../statuses.ts';
import type { Operation, Review } from './contract.ts';
import { inVersionOf } from './rules.ts';

/** What is reviewed. */
export interface Subject {
  readonly operation: Operation;
  /** The kind of the object when it is not that of the resource. */
  readonly gvk?: Gvk;
  readonly name: string;
  readonly object: KubeObject | null;
  readonly old?: KubeObject;
  readonly options: Readonly<Record<string, unknown>>;
  readonly dryRun: boolean;
}

/** Whose these are is not for reviewers to say. */
const IDENTITY = [
  'name',
  'namespace',
  'uid',
  'creationTimestamp',
  'generation',
  'resourceVersion',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
] as const;

export class ReviewedRequest implements Review {
  readonly call: Call;
  readonly operation: Operation;
  readonly gvk: Gvk;
  readonly namespace: string;
  readonly name: string;
  readonly object: KubeObject | null;
  readonly old: KubeObject | null;
  readonly options: Readonly<Record<string, unknown>>;
  readonly dryRun: boolean;
  readonly #engine: Engine;
  #isReinvocation = false;
  #isAskedAgain = false;
  #isRewritten = false;

  constructor(engine: Engine, call: Call, subject: Subject) {
    this.#engine = engine;
    this.call = call;
    this.operation = subject.operation;
    this.gvk = subject.gvk ?? call.kind.row.gvk;
    this.name = subject.name;
    this.namespace = placeOf(call, subject.name);
    this.object = subject.object;
    this.old = subject.old ?? null;
    this.options = subject.options;
    this.dryRun = subject.dryRun;
  }

  get isReinvocation(): boolean {
    return this.#isReinvocation;
  }

  /** Whether a reviewer has changed the object. */
  get isRewritten(): boolean {
    return this.#isRewritten;
  }

  askForReinvocation(): void {
    this.#isAskedAgain = true;
  }

  rewrite(next: unknown): void {
    const { object, gvk } = this;
    // What a connection is for is what its streams were opened for.
    if (object === null || this.operation === 'CONNECT') return;
    const taken = this.#take(next);
    taken.metadata = { ...taken.metadata };
    for (const field of IDENTITY) {
      if (object.metadata[field] === undefined) delete taken.metadata[field];
      else Object.assign(taken.metadata, { [field]: object.metadata[field] });
    }
    for (const field of Object.keys(object)) delete object[field];
    Object.assign(object, taken, { apiVersion: formatApiVersion(gvk), kind: gvk.kind });
    this.#isRewritten = true;
  }

  /** Lets every reviewer change the object, and once more when one asked for it; `steps` are the built-in ones, between. */
  mutate(steps: () => void): void {
    this.#mutateOnce();
    if (!this.#isAskedAgain) return;
    this.#isReinvocation = true;
    steps();
    this.#mutateOnce();
    this.#isReinvocation = false;
  }

  validate(): void {
    for (const reviewer of this.#engine.reviewers) reviewer.validate?.(this.#engine, this);
  }

  #mutateOnce(): void {
    for (const reviewer of this.#engine.reviewers) reviewer.mutate?.(this.#engine, this);
  }

  /** Decoded, pruned and defaulted, in the version of the request. */
  #take(next: unknown): KubeObject {
    const { gvk } = this;
    const { kind } = this.call;
    if (!isRecord(next) || next['kind'] !== gvk.kind || !isRecord(next['metadata'] ?? {}))
      throw badRequest(`the object provided is unrecognized (must be of type ${gvk.kind})`);
    const given = { ...next, metadata: next['metadata'] ?? {} } as unknown as KubeObject;
    if (gvk !== kind.row.gvk) {
      const schema = schemaFor(gvk);
      const shaped = shapeAs(given, schema, gvk);
      if (schema !== undefined) applyDefaults(shaped, schema);
      return shaped;
    }
    const [group = '', version = group] = given.apiVersion.split('/');
    const other = this.#engine.table.find(kind.row.gvr.group, version, kind.row.gvr.resource);
    if (other === undefined) throw badRequest(`${given.apiVersion}, Kind=${given.kind} is not served`);
    const own = other === kind ? given : inVersionOf(kind, other, given);
    const { object } = shape(kind, own);
    fillDefaults(kind, object);
    return object;
  }
}

/** Shows reviewers an object that is sent to a subresource and is not the one that will be stored. */
export function reviewObject(engine: Engine, call: Call, subject: Omit<Subject, 'name'>): void {
  if (engine.reviewers.length === 0) return;
  const review = new ReviewedRequest(engine, call, { ...subject, name: nameOf(call.route) });
  review.mutate(() => {});
  review.validate();
}

function placeOf({ kind, route }: Call, name: string): string {
  const { group, resource } = kind.row.gvr;
  if (group === '' && resource === 'namespaces') return name;
  return kind.row.namespaced ? (route.namespace ?? '') : '';
}
