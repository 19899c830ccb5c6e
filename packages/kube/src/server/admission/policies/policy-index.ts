/** The policies of one kind that are bound to anything, compiled once, with their bindings. */
import type { KubeObject } from '@skerry/api';
import type { MatchResources, ParamKind, ParamRef, ValidationAction } from '@skerry/api/types';
import type { Engine } from '../../engine.ts';
import { compileMatching, type Matching } from '../review/rules.ts';
import { followObjects } from './follow-objects.ts';

export interface Policy<Compiled> {
  readonly name: string;
  readonly matching: Matching;
  readonly paramKind?: ParamKind;
  readonly compiled: Compiled;
}

export interface Binding {
  readonly name: string;
  readonly policyName: string;
  /** Absent: whatever the policy is for. */
  readonly matching?: Matching;
  readonly paramRef?: ParamRef;
  readonly actions: readonly ValidationAction[];
}

export interface Bound<Compiled> {
  readonly policy: Policy<Compiled>;
  readonly bindings: readonly Binding[];
}

/** The parts of a spec that both kinds of policies have. */
interface PolicySpec {
  readonly paramKind?: ParamKind;
  readonly matchConstraints?: MatchResources;
}

interface BindingSpec {
  readonly policyName?: string;
  readonly paramRef?: ParamRef;
  readonly matchResources?: MatchResources;
  readonly validationActions?: readonly ValidationAction[];
}

export class PolicyIndex<Compiled> {
  readonly #policies = new Map<string, Policy<Compiled>>();
  readonly #bindings = new Map<string, Binding>();
  /** In the order of names; undefined after a change. */
  #bound: readonly Bound<Compiled>[] | undefined;

  get bound(): readonly Bound<Compiled>[] {
    this.#bound ??= this.#join();
    return this.#bound;
  }

  follow(
    engine: Engine,
    resources: { readonly policies: string; readonly bindings: string },
    compile: (spec: object) => Compiled,
  ): Disposable {
    const toPolicy = (object: KubeObject): Policy<Compiled> => {
      const spec = specOf<PolicySpec>(object);
      return {
        name: object.metadata.name ?? '',
        matching: compileMatching(spec.matchConstraints ?? {}),
        ...(spec.paramKind === undefined ? {} : { paramKind: spec.paramKind }),
        compiled: compile(spec),
      };
    };
    const policies = followObjects(engine, resources.policies, toPolicy, (name, made) =>
      this.#set(this.#policies, name, made),
    );
    const bindings = followObjects(engine, resources.bindings, toBinding, (name, made) =>
      this.#set(this.#bindings, name, made),
    );
    return {
      [Symbol.dispose]: () => {
        policies[Symbol.dispose]();
        bindings[Symbol.dispose]();
      },
    };
  }

  #set<T>(map: Map<string, T>, name: string, made: T | undefined): void {
    if (made === undefined) map.delete(name);
    else map.set(name, made);
    this.#bound = undefined;
  }

  #join(): Bound<Compiled>[] {
    const bindings = [...this.#bindings.values()].sort(byName);
    return [...this.#policies.values()]
      .sort(byName)
      .map((policy) => ({ policy, bindings: bindings.filter(({ policyName }) => policyName === policy.name) }))
      .filter((bound) => bound.bindings.length > 0);
  }
}

function toBinding(object: KubeObject): Binding {
  const { policyName = '', paramRef, matchResources, validationActions = [] } = specOf<BindingSpec>(object);
  return {
    name: object.metadata.name ?? '',
    policyName,
    ...(matchResources === undefined ? {} : { matching: compileMatching(matchResources) }),
    ...(paramRef === undefined ? {} : { paramRef }),
    actions: validationActions,
  };
}

function specOf<Spec extends object>(object: KubeObject): Spec {
  return (object['spec'] ?? {}) as Spec;
}

function byName(left: { readonly name: string }, right: { readonly name: string }): number {
  return left.name < right.name ? -1 : left.name > right.name ? 1 : 0;
}
