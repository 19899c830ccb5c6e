/** MutatingAdmissionPolicies: each binding's changes in turn, and once more for those that wish it when others changed the object. */
import { formatApiVersion, isStatus, type KubeObject } from '@skerry/api';
import {
  type Cel,
  compileMutatingPolicy,
  evaluateMutations,
  type MakeChange,
  type MutatingPolicy,
} from '@skerry/api/cel';
import { apply, applyJsonPatch } from '@skerry/api/patch';
import type { MutatingAdmissionPolicySpec } from '@skerry/api/types';
import type { Engine } from '../../engine.ts';
import { isRecord } from '../../incoming.ts';
import { jsonEqual } from '../../json-equal.ts';
import { badRequest } from '../../statuses.ts';
import type { Review, Reviewer } from '../review/contract.ts';
import type { Match } from '../review/rules.ts';
import { type Concern, concernsOf, inputOf, isExempt } from './concerned.ts';
import { type Bound, PolicyIndex } from './policy-index.ts';
import { refusal } from './refusal.ts';

const RESOURCES = { policies: 'mutatingadmissionpolicies', bindings: 'mutatingadmissionpolicybindings' };

interface Compiled {
  readonly policy: MutatingPolicy;
  readonly isReinvoked: boolean;
}

/** What a policy left of the object when it was asked last. */
type Seen = Map<string, string>;

export function mutatingPolicies(cel: Cel): Reviewer {
  const index = new PolicyIndex<Compiled>();
  const seenBy = new WeakMap<Review, Seen>();
  return {
    name: 'MutatingAdmissionPolicy',
    follow: (engine) => index.follow(engine, RESOURCES, (spec) => compile(cel, spec)),
    mutate: (engine, review) => {
      if (index.bound.length === 0 || review.object === null || isExempt(review)) return;
      const seen: Seen = seenBy.get(review) ?? new Map();
      seenBy.set(review, seen);
      for (const bound of index.bound) {
        if (isSettled(review, bound, seen)) continue;
        for (const concern of concernsOf(engine, review, bound)) mutate(engine, review, bound, concern);
        seen.set(bound.policy.name, JSON.stringify(review.object));
      }
    },
  };
}

function compile(cel: Cel, spec: MutatingAdmissionPolicySpec): Compiled {
  return { policy: compileMutatingPolicy(cel, spec), isReinvoked: spec.reinvocationPolicy === 'IfNeeded' };
}

/** The second time, only those are asked that wish it and whose object others changed. */
function isSettled(review: Review, { policy }: Bound<Compiled>, seen: Seen): boolean {
  if (!review.isReinvocation) return false;
  return !policy.compiled.isReinvoked || seen.get(policy.name) === JSON.stringify(review.object);
}

function mutate(engine: Engine, review: Review, { policy }: Bound<Compiled>, concern: Concern): void {
  const { policy: compiled } = policy.compiled;
  const why = concern.failure ?? changeWith(engine, review, compiled, concern);
  if (why === undefined || (concern.failure !== undefined && !compiled.failsClosed)) return;
  throw refusal(
    review,
    `policy '${policy.name}' with binding '${concern.binding.name}' denied request: ${why}`,
    'Invalid',
  );
}

/** Gives back why the request is refused. */
function changeWith(engine: Engine, review: Review, compiled: MutatingPolicy, concern: Concern): string | undefined {
  for (const params of concern.params) {
    const input = inputOf(engine, review, concern.match, params);
    try {
      const { object, refusal: why } = evaluateMutations(compiled, input, changing(engine, review, concern.match));
      if (why !== undefined) return why;
      if (object === input.object || jsonEqual(object, input.object)) continue;
      review.rewrite(object);
      review.askForReinvocation();
    } catch (error) {
      // A patch that does not fit the object is a failure of the policy like any other.
      if (!isStatus(error)) throw error;
      if (compiled.failsClosed) return error.message;
    }
  }
  return undefined;
}

function changing({ table, clock }: Engine, review: Review, { resource, kind }: Match): MakeChange {
  const served = table.find(resource.group, resource.version, resource.resource);
  const schema = (review.gvk.kind === served?.row.gvk.kind ? served.schema : undefined) ?? {};
  return (before, change) => {
    if (change.type === 'JSONPatch') return recordOf(applyJsonPatch(before, change.operations));
    const live = before as KubeObject;
    const apiVersion = formatApiVersion(kind);
    const applied = { ...change.configuration, apiVersion, kind: kind.kind };
    const result = apply({
      live,
      applied: { ...applied, metadata: { ...metadataOf(applied), name: live.metadata.name ?? '' } },
      schema,
      manager: 'mutating-admission-policy',
      force: true,
      apiVersion,
      ignore: [],
      now: clock.now(),
    });
    if (result.object === undefined) throw badRequest('the configuration does not fit the object');
    // Whose fields these are is settled by the write itself.
    const { managedFields: _, ...metadata } = result.object.metadata;
    const { managedFields } = live.metadata;
    return { ...result.object, metadata: { ...metadata, ...(managedFields === undefined ? {} : { managedFields }) } };
  };
}

function metadataOf(configuration: object): object {
  const { metadata } = configuration as { readonly metadata?: unknown };
  return isRecord(metadata) ? metadata : {};
}

function recordOf(value: unknown): object {
  if (!isRecord(value)) throw badRequest('the patched object is none');
  return value;
}
