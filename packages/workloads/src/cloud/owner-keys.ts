/** Which owners a change of what they own wakes. */
import type { KubeObject } from '@skerry/api';
import { type LabelSelector, selectorFromObject } from '@skerry/api/selectors';
import { type Change, formatObjectKey, type Informer, keyOf } from '@skerry/kube/controller';
import { controllerOf } from './owners.ts';

export interface OwnerKind<Owner extends KubeObject> {
  /** As owner references name it. */
  readonly kind: string;
  readonly informer: Informer<Owner>;
}

/** A kind whose objects select what they own. */
interface Selecting extends KubeObject {
  spec?: { readonly selector?: unknown };
}

/** Wakes the controller the object has or had; for an orphan, whoever could adopt it. */
export function ownerKeys<Owner extends Selecting>(
  { kind, informer }: OwnerKind<Owner>,
  { type, object, previous }: Change,
): readonly string[] {
  const keys = new Set<string>();
  for (const one of previous === undefined ? [object] : [object, previous]) {
    const owner = controllerOf(one);
    if (owner?.kind === kind) keys.add(formatObjectKey({ namespace: one.metadata.namespace ?? '', name: owner.name }));
  }
  if (type !== 'delete' && controllerOf(object) === undefined) {
    for (const owner of informer.cache.inNamespace(object.metadata.namespace ?? '')) {
      if (ownSelector(owner).matches(object.metadata.labels)) keys.add(keyOf(owner));
    }
  }
  return [...keys];
}

const compiled = new WeakMap<KubeObject, LabelSelector>();

/** `spec.selector`, compiled once for each version of the object. */
export function ownSelector(owner: Selecting): LabelSelector {
  const known = compiled.get(owner);
  if (known !== undefined) return known;
  const selector = selectorFromObject(owner.spec?.selector);
  compiled.set(owner, selector);
  return selector;
}
