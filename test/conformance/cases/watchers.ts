/** What a watch promises: every change once, in order, from where it was told to begin. */
import assert from 'node:assert/strict';
import type { ConfigMap } from '@skerry/api/types';
import type { Lab } from '../lab.ts';
import { type Requirement, requirement } from '../requirement.ts';
import type { Watch } from '../watch.ts';

export const WATCHERS: readonly Requirement[] = [
  requirement(
    '[sig-api-machinery] Watchers should observe add, update, and delete watch notifications on configmaps',
    'a watch with a label selector sees adding, changing and deleting of what it selects, and of nothing else',
    seesAllKinds,
  ),
  requirement(
    '[sig-api-machinery] Watchers should be able to start watching from a specific resource version',
    'a watch from a resourceVersion begins with the change after it',
    startsFromVersion,
  ),
  requirement(
    '[sig-api-machinery] Watchers should be able to restart watching from the last resource version observed by the previous watch',
    'a watch from the last resourceVersion seen by another goes on where that ended',
    goesOn,
  ),
  requirement(
    '[sig-api-machinery] Watchers should observe an object deletion if it stops meeting the requirements of the selector',
    'an object that leaves the selector is DELETED for its watch, and ADDED when it comes back',
    leavesSelector,
  ),
  requirement(
    '[sig-api-machinery] Watchers should receive events on concurrent watches in same order',
    'watches from different resourceVersions see the changes of one collection in the same order',
    sameOrder,
  ),
];

async function seesAllKinds(lab: Lab): Promise<void> {
  const maps = lab.of('ConfigMap');
  using one = await maps.watch({ labelSelector: 'watched=a' });
  using other = await maps.watch({ labelSelector: 'watched=b' });
  using both = await maps.watch({ labelSelector: 'watched in (a,b)' });
  await maps.create({ metadata: { name: 'map-a', labels: { watched: 'a' } } });
  for (const watch of [one, both]) await watch.see('ADDED', 'map-a');
  for (const mutation of ['1', '2']) {
    await maps.patch('map-a', { data: { mutation } });
    for (const watch of [one, both])
      assert.equal((await watch.see('MODIFIED', 'map-a')).object.data?.['mutation'], mutation);
  }
  await maps.delete('map-a');
  for (const watch of [one, both]) await watch.see('DELETED', 'map-a');
  await maps.create({ metadata: { name: 'map-b', labels: { watched: 'b' } } });
  for (const watch of [other, both]) await watch.see('ADDED', 'map-b');
  await maps.delete('map-b');
  for (const watch of [other, both]) await watch.see('DELETED', 'map-b');
  assert.deepEqual(typesOf(one), ['ADDED', 'MODIFIED', 'MODIFIED', 'DELETED']);
  assert.deepEqual(typesOf(other), ['ADDED', 'DELETED']);
  assert.deepEqual(typesOf(both), ['ADDED', 'MODIFIED', 'MODIFIED', 'DELETED', 'ADDED', 'DELETED']);
}

async function startsFromVersion(lab: Lab): Promise<void> {
  const maps = lab.of('ConfigMap');
  await maps.create({ metadata: { name: 'map', labels: { watched: 'yes' } } });
  const first = await maps.patch('map', { data: { mutation: '1' } });
  await maps.patch('map', { data: { mutation: '2' } });
  await maps.delete('map');
  using watch = await maps.watch({
    labelSelector: 'watched=yes',
    resourceVersion: first.metadata.resourceVersion ?? '',
  });
  assert.equal((await watch.see('MODIFIED', 'map')).object.data?.['mutation'], '2');
  assert.equal((await watch.see('DELETED', 'map')).object.data?.['mutation'], '2');
  assert.deepEqual(typesOf(watch), ['MODIFIED', 'DELETED']);
}

async function goesOn(lab: Lab): Promise<void> {
  const maps = lab.of('ConfigMap');
  const query = { labelSelector: 'watched=yes' };
  let last: string;
  {
    using watch = await maps.watch(query);
    await maps.create({ metadata: { name: 'map', labels: { watched: 'yes' } } });
    await watch.see('ADDED', 'map');
    await maps.patch('map', { data: { mutation: '1' } });
    last = (await watch.see('MODIFIED', 'map')).object.metadata.resourceVersion ?? '';
  }
  await maps.patch('map', { data: { mutation: '2' } });
  await maps.delete('map');
  using watch = await maps.watch({ ...query, resourceVersion: last });
  await watch.see('DELETED', 'map');
  assert.deepEqual(typesOf(watch), ['MODIFIED', 'DELETED']);
}

async function leavesSelector(lab: Lab): Promise<void> {
  const maps = lab.of('ConfigMap');
  using watch = await maps.watch({ labelSelector: 'watched=yes' });
  const label = (watched: string) => maps.patch('map', { metadata: { labels: { watched } } });
  await maps.create({ metadata: { name: 'map', labels: { watched: 'yes' } } });
  await maps.patch('map', { data: { mutation: '1' } });
  await label('no');
  await maps.patch('map', { data: { mutation: '2' } });
  await label('yes');
  await maps.patch('map', { data: { mutation: '3' } });
  await maps.delete('map');
  for (const type of ['ADDED', 'MODIFIED', 'DELETED', 'ADDED', 'MODIFIED', 'DELETED'] as const)
    await watch.see(type, 'map');
  const seen = watch.events.map(({ type, object }) => [type, object.data?.['mutation']]);
  assert.deepEqual(seen.slice(0, 2), [
    ['ADDED', undefined],
    ['MODIFIED', '1'],
  ]);
  assert.deepEqual(seen.slice(3), [
    ['ADDED', '2'],
    ['MODIFIED', '3'],
    ['DELETED', '3'],
  ]);
}

const CHANGES = 30;

async function sameOrder(lab: Lab): Promise<void> {
  const maps = lab.of('ConfigMap');
  const { metadata } = await maps.list();
  const start = metadata.resourceVersion ?? '';
  const watches: Watch<ConfigMap>[] = [];
  const versions: string[] = [start];
  try {
    for (let index = 0; index < CHANGES; index++) {
      const made = await maps.create({ metadata: { name: `map-${index}` } });
      const patched = await maps.patch(`map-${index}`, { data: { index: String(index) } });
      versions.push(made.metadata.resourceVersion ?? '', patched.metadata.resourceVersion ?? '');
      if (index % 3 === 0) await maps.delete(`map-${index}`);
      if (index % 5 === 0) watches.push(await maps.watch({ resourceVersion: versions.at(-1) ?? start }));
    }
    watches.push(await maps.watch({ resourceVersion: start }));
    await maps.create({ metadata: { name: 'the-end' } });
    for (const watch of watches) await watch.see('ADDED', 'the-end');
    const [longest, ...others] = watches.map(orderOf).sort((left, right) => right.length - left.length);
    for (const order of others) assert.deepEqual(order, longest?.slice(-order.length));
    assert.equal(new Set(longest).size, longest?.length, 'nothing comes twice');
  } finally {
    for (const watch of watches) watch[Symbol.dispose]();
  }
}

function orderOf({ events }: Watch<ConfigMap>): readonly string[] {
  return events.map(({ type, object }) => `${type} ${object.metadata.name} ${object.metadata.resourceVersion}`);
}

function typesOf({ events }: Watch<ConfigMap>): readonly string[] {
  return events.map(({ type }) => type);
}
