/** What is demanded of nearly every kind: each verb does what it says, and a watch sees it. */
import assert from 'node:assert/strict';
import type { KubeObject } from '@skerry/api';
import type { Collection } from './collection.ts';
import { KINDS, type KindName } from './kinds.ts';
import { absent, at, type Lab } from './lab.ts';
import { type Requirement, requirement } from './requirement.ts';
import type { Watch } from './watch.ts';

/** A kind, with an object of it that is accepted. */
export interface KindPlan {
  readonly kind: KindName;
  /** Everything but apiVersion, kind and metadata. */
  readonly body: object | ((lab: Lab, name: string) => object);
  /** A merge patch of the status and what must be there afterwards; absent: there is no status. */
  readonly status?: object;
  /** Through which the status changes as well. */
  readonly subresource?: string;
  /** Names that are no plain ones: the n-th of the case. */
  readonly nameOf?: (lab: Lab, index: number) => string;
  /** Further metadata. */
  readonly metadata?: object;
  /** A merge patch of something that is more than a label, and the path where it must show. */
  readonly patch?: readonly [patch: object, path: string, value: unknown];
  readonly hasNoDeleteCollection?: boolean;
}

interface Hands {
  readonly lab: Lab;
  readonly plan: KindPlan;
  readonly objects: Collection;
  readonly watch: Watch;
  /** Selects the objects of the case. */
  readonly selector: string;
}

/** Every verb, one after the other. */
export function crud(name: string, plan: KindPlan): Requirement {
  const status = plan.status === undefined ? '' : ', their status is read, patched and replaced';
  const states = `objects of kind ${plan.kind} are found in discovery, created, read, listed, watched, patched, replaced, applied and deleted, alone and as a collection${status}`;
  return requirement(name, states, async (lab) => {
    const selector = `conformance-case=${lab.id}`;
    const objects: Collection = lab.of(plan.kind);
    await isDiscovered(lab, plan.kind);
    using watch = await objects.watch({ labelSelector: selector });
    const hands: Hands = { lab, plan, objects, watch, selector };
    const first = await creates(hands, 0);
    await reads(hands, first);
    await changes(hands, first);
    if (plan.status !== undefined) await changesStatus(hands, first, plan.status);
    await applies(hands, first);
    await deletes(hands, first);
    if (plan.hasNoDeleteCollection !== true) await deletesAll(hands);
  });
}

async function isDiscovered(lab: Lab, kind: KindName): Promise<void> {
  const { apiVersion, resource, isNamespaced } = KINDS[kind];
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : [undefined, apiVersion];
  if (group !== undefined) {
    const { groups } = await lab.api.get<{ groups: { name: string; versions: { version: string }[] }[] }>('/apis');
    const found = groups.find(({ name }) => name === group);
    assert.ok(
      found?.versions.some((one) => one.version === version),
      `${apiVersion} is not in /apis`,
    );
    const alone = await lab.api.get<{ versions: { version: string }[] }>(`/apis/${group}`);
    assert.ok(
      alone.versions.some((one) => one.version === version),
      `${apiVersion} is not in /apis/${group}`,
    );
  }
  const root = group === undefined ? `/api/${version}` : `/apis/${apiVersion}`;
  const { resources } = await lab.api.get<{ resources: { name: string; kind: string; namespaced: boolean }[] }>(root);
  const found = resources.find(({ name }) => name === resource);
  assert.deepEqual([found?.kind, found?.namespaced], [kind, isNamespaced], `${resource} in ${root}`);
}

/** An object of the plan, for the n-th of the case. */
function planned(lab: Lab, { body, metadata, nameOf }: KindPlan, index: number): Pick<KubeObject, 'metadata'> {
  const name = nameOf?.(lab, index) ?? `case-${lab.id}-${index}`;
  const rest = typeof body === 'function' ? body(lab, name) : body;
  return { metadata: { name, labels: { 'conformance-case': lab.id }, ...metadata }, ...rest };
}

async function creates({ lab, plan, objects, watch }: Hands, index: number): Promise<string> {
  const { metadata } = await objects.create(planned(lab, plan, index));
  const { name = '', uid, resourceVersion, creationTimestamp } = metadata;
  assert.ok(uid && resourceVersion && creationTimestamp, `metadata of ${name} is not filled in`);
  const seen = await watch.see('ADDED', name);
  assert.equal(seen.object.metadata.uid, uid);
  return name;
}

async function reads({ lab, plan, objects, selector }: Hands, name: string): Promise<void> {
  const object = await objects.get(name);
  assert.deepEqual([object.kind, object.apiVersion], [plan.kind, KINDS[plan.kind].apiVersion]);
  assert.equal(object.metadata.name, name);
  for (const place of [objects, lab.everywhere(plan.kind) as Collection]) {
    const { kind, items } = await place.list({ labelSelector: selector });
    assert.equal(kind, `${plan.kind}List`);
    assert.deepEqual(
      items.map((item) => item.metadata.uid),
      [object.metadata.uid],
    );
  }
}

async function changes({ plan, objects, watch }: Hands, name: string): Promise<void> {
  const patched = await objects.patch(name, { metadata: { annotations: { patched: 'yes' } } });
  assert.equal(patched.metadata.annotations?.['patched'], 'yes');
  const seen = await watch.until('the patch', ({ object }) => object.metadata.annotations?.['patched'] === 'yes');
  assert.equal(seen.type, 'MODIFIED');
  if (plan.patch !== undefined) {
    const [patch, path, value] = plan.patch;
    assert.deepEqual(at(await objects.patch(name, patch), path), value);
    assert.deepEqual(at(await objects.get(name), path), value);
  }
  const replaced = await objects.change(name, annotate('replaced'));
  assert.equal(replaced.metadata.annotations?.['replaced'], 'yes');
  await watch.until('the update', ({ object }) => object.metadata.annotations?.['replaced'] === 'yes');
}

function annotate(key: string): (object: KubeObject) => void {
  return (object) => {
    object.metadata.annotations = { ...object.metadata.annotations, [key]: 'yes' };
  };
}

async function changesStatus(hands: Hands, name: string, status: object): Promise<void> {
  const { objects, watch, plan } = hands;
  if (plan.subresource !== undefined) {
    const changed = await objects.change(name, (object) => Object.assign(object, { status }), plan.subresource);
    contains(changed['status'], status);
  }
  const before = await objects.get(name, 'status');
  assert.equal(before.metadata.name, name);
  const patch = { metadata: { annotations: { 'patched-status': 'yes' } }, status };
  const patched = await objects.patch(name, patch, 'merge', 'status');
  assert.equal(patched.metadata.annotations?.['patched-status'], 'yes');
  contains(patched['status'], status);
  await watch.until('the status', ({ object }) => object.metadata.annotations?.['patched-status'] === 'yes');
  const replaced = await objects.change(name, annotate('replaced-status'), 'status');
  assert.equal(replaced.metadata.annotations?.['replaced-status'], 'yes');
  contains(replaced['status'], status);
  await watch.until('the status', ({ object }) => object.metadata.annotations?.['replaced-status'] === 'yes');
}

/** All of `part` is in `whole`; of lists, at any place. */
function contains(whole: unknown, part: unknown): void {
  if (Array.isArray(part)) {
    for (const each of part)
      assert.ok(
        (whole as unknown[]).some((one) => isIn(one, each)),
        `${JSON.stringify(each)} is not in ${JSON.stringify(whole)}`,
      );
    return;
  }
  for (const [key, value] of Object.entries(part as object)) {
    const found = at(whole, key);
    if (typeof value === 'object' && value !== null) contains(found, value);
    else assert.deepEqual(found, value, key);
  }
}

function isIn(whole: unknown, part: unknown): boolean {
  try {
    contains(whole, part);
    return true;
  } catch {
    return false;
  }
}

async function applies({ objects }: Hands, name: string): Promise<void> {
  const applied = await objects.apply({ metadata: { name, labels: { applied: 'yes' } } });
  assert.equal(applied.metadata.labels?.['applied'], 'yes');
  const entry = applied.metadata.managedFields?.find(({ manager }) => manager === 'conformance');
  assert.equal(entry?.operation, 'Apply');
}

async function deletes({ objects, watch, lab }: Hands, name: string): Promise<void> {
  await objects.delete(name);
  await watch.see('DELETED', name);
  await lab.eventually(`${name} is gone`, async () => (await absent(objects.get(name))).code === 404);
}

async function deletesAll(hands: Hands): Promise<void> {
  const { objects, selector, lab } = hands;
  await creates(hands, 1);
  await creates(hands, 2);
  assert.equal((await objects.list({ labelSelector: selector })).items.length, 2);
  await objects.deleteAll(selector);
  await lab.eventually('the collection is gone', async () => {
    const { items } = await objects.list({ labelSelector: selector });
    return items.length === 0;
  });
}

const SOME = 3;

/** Those that a selector chooses are deleted by one request, and no others. */
export function deletedTogether(name: string, plan: KindPlan): Requirement {
  const states = `objects of kind ${plan.kind} are listed by a label in one and in all namespaces, and deleted by it as one collection`;
  return requirement(name, states, async (lab) => {
    const objects: Collection = lab.of(plan.kind);
    const labelSelector = `conformance-case=${lab.id}`;
    await objects.create({ ...planned(lab, plan, SOME), metadata: { name: `stays-${lab.id}` } });
    for (let index = 0; index < SOME; index++) await objects.create(planned(lab, plan, index));
    for (const place of [objects, lab.everywhere(plan.kind) as Collection])
      assert.equal((await place.list({ labelSelector })).items.length, SOME);
    await objects.deleteAll(labelSelector);
    await lab.eventually('the collection is gone', async () => {
      return (await objects.list({ labelSelector })).items.length === 0;
    });
    assert.equal((await objects.get(`stays-${lab.id}`)).metadata.deletionTimestamp, undefined);
  });
}
