import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoint, EndpointSlice } from '@skerry/api/types';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import type { EndpointGroup } from '../../endpoints/service-endpoints.ts';
import { isSame } from '../canonical.ts';
import { diffSlices, MAX_ENDPOINTS_IN_SLICE } from './slices.ts';

/** `a` ready, `a!` not ready, `n/a` on node n. */
function endpointOf(text: string): Endpoint {
  const [name = '', nodeName] = text.replace('!', '').split('/').reverse();
  return {
    addresses: [name],
    conditions: { ready: !text.endsWith('!') },
    targetRef: { kind: 'Pod', name, uid: name },
    ...(nodeName === undefined ? {} : { nodeName }),
  };
}

function groupOf(names: readonly string[], port = 80): EndpointGroup {
  return { addressType: 'IPv4', ports: [{ name: '', protocol: 'TCP', port }], endpoints: names.map(endpointOf) };
}

function sliceOf(name: string, names: readonly string[], port?: number): EndpointSlice {
  const { addressType, ports, endpoints } = groupOf(names, port);
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name },
    addressType,
    endpoints: [...endpoints],
    ports: port === 0 ? [] : [...ports],
  };
}

/** Carries the difference out on the slices. */
function apply(existing: readonly EndpointSlice[], groups: readonly EndpointGroup[]) {
  const diff = diffSlices(existing, groups, ['IPv4']);
  const updated = new Map(
    diff.update.map(({ slice, content }) => [slice, { ...slice, endpoints: [...content.endpoints] }]),
  );
  const kept = existing.filter((slice) => !diff.remove.includes(slice)).map((slice) => updated.get(slice) ?? slice);
  const made = diff.create.map(({ addressType, ports, endpoints }, index) => ({
    ...sliceOf(`new-${existing.length}-${index}`, []),
    addressType,
    ports: [...ports],
    endpoints: [...endpoints],
  }));
  return { diff, slices: [...kept, ...made] };
}

const show = ({ addresses, conditions }: Endpoint) => `${addresses[0]}${conditions?.ready === true ? '' : '!'}`;

function check(
  existing: readonly EndpointSlice[],
  groups: readonly EndpointGroup[],
  expected: { create?: string[][]; update?: Record<string, string[]>; remove?: string[] },
): void {
  const { create, update, remove } = diffSlices(existing, groups, ['IPv4']);
  assert.deepEqual(
    {
      create: create.map(({ endpoints }) => endpoints.map(show)),
      update: Object.fromEntries(
        update.map(({ slice, content }) => [slice.metadata.name, content.endpoints.map(show)]),
      ),
      remove: remove.map(({ metadata }) => metadata.name),
    },
    { create: [], update: {}, remove: [], ...expected },
  );
}

test('endpoints that are there already cost nothing', () =>
  check([sliceOf('s', ['a', 'b'])], [groupOf(['b', 'a'])], {}));

test('a change touches the slice it is in, and no other', () =>
  check([sliceOf('s', ['a', 'b']), sliceOf('t', ['c'])], [groupOf(['a!', 'b', 'c'])], { update: { s: ['a!', 'b'] } }));

test('new endpoints fill the fullest slice first', () =>
  check([sliceOf('s', ['a']), sliceOf('t', ['b', 'c'])], [groupOf(['a', 'b', 'c', 'd'])], {
    update: { t: ['b', 'c', 'd'] },
  }));

test('a slice whose endpoints are all gone goes', () =>
  check([sliceOf('s', ['a']), sliceOf('t', ['b'])], [groupOf(['a'])], { remove: ['t'] }));

test('other ports are another slice', () =>
  check([sliceOf('s', ['a', 'b'])], [groupOf(['a']), groupOf(['b'], 81)], { create: [['b']], update: { s: ['a'] } }));

test('endpoints of two nodes share no slice, so that one node hears nothing of the other', () => {
  check([], [groupOf(['n/a', 'm/b', 'n/c'])], { create: [['a', 'c'], ['b']] });
  check([sliceOf('s', ['n/a']), sliceOf('t', ['m/b'])], [groupOf(['n/a', 'm/b!'])], { update: { t: ['b!'] } });
  check([sliceOf('s', ['n/a', 'm/b'])], [groupOf(['n/a', 'm/b'])], { create: [['a'], ['b']], remove: ['s'] });
});

test('no endpoints are an empty slice, of which there is one', () => {
  check([], [], { create: [[]] });
  check([sliceOf('s', [], 0)], [], {});
  check([sliceOf('s', ['a'])], [], { create: [[]], remove: ['s'] });
});

test('after any sequence of changes the slices hold exactly what is wanted, none too full, and a second look changes nothing', () =>
  fc.assert(
    fc.property(
      fc.array(fc.uniqueArray(fc.integer({ min: 0, max: 250 }), { maxLength: 250 }), { minLength: 1, maxLength: 4 }),
      (rounds) => {
        let slices: EndpointSlice[] = [];
        for (const round of rounds) {
          const group = groupOf(round.map((number) => `n${number % 3}/${number}`));
          const groups = round.length === 0 ? [] : [group];
          ({ slices } = apply(slices, groups));
          const held = slices.flatMap(({ endpoints }) => endpoints ?? []);
          assert.deepEqual(held.map(show).sort(), round.map(String).sort());
          assert.ok(slices.every(({ endpoints }) => (endpoints ?? []).length <= MAX_ENDPOINTS_IN_SLICE));
          const nodesOf = ({ endpoints = [] }: EndpointSlice) =>
            new Set(endpoints.map(({ nodeName }) => nodeName)).size;
          assert.ok(slices.every((slice) => nodesOf(slice) <= 1));
          const { diff } = apply(slices, groups);
          assert.ok(isSame(diff, { create: [], update: [], remove: [] }));
        }
      },
    ),
    { numRuns: runs(50) },
  ));
