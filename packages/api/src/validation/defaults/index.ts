/** Per-kind defaults: what stands where the author of an object wrote nothing. */
import type { Gvk } from '../../names.ts';
import type { KubeObject } from '../../object.ts';
import type { Defaulter } from './facts.ts';
import { otherDefaults } from './others.ts';
import { podDefaults } from './pod.ts';
import { workloadDefaults } from './workloads.ts';

const byKind: ReadonlyMap<string, Defaulter> = new Map(
  Object.entries({ '/Pod': podDefaults, ...workloadDefaults, ...otherDefaults }),
);

/** Fills the defaults of a built-in kind into a freshly decoded object, in place. Kinds without any, and custom ones, stay as they are. */
export function applyKindDefaults(gvk: Pick<Gvk, 'group' | 'kind'>, object: KubeObject): void {
  byKind.get(`${gvk.group}/${gvk.kind}`)?.(object);
}
