import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConcernGraph } from './concern-graph.ts';
import { EVERY_NODE, type Links, NO_LINKS } from './links.ts';

// Keys are in layers and links go down only, as from pods to accounts to bindings to roles.
const LAYERS = [
  ['a1', 'a2', 'a3'],
  ['b1', 'b2'],
  ['c1', 'c2'],
  ['d1', 'd2'],
];
const KEYS = LAYERS.flat();
const NODES = ['n1', 'n2', EVERY_NODE];

function linksOf(key: string): fc.Arbitrary<Links> {
  const layer = LAYERS.findIndex((keys) => keys.includes(key));
  return fc.record({
    nodes: fc.subarray(NODES),
    targets: fc.subarray(LAYERS.slice(layer + 1).flat()),
    sources: fc.subarray(LAYERS.slice(0, layer).flat()),
  });
}

const change = fc
  .constantFrom(...KEYS)
  .chain((key) => fc.tuple(fc.constant(key), fc.oneof(fc.constant(NO_LINKS), linksOf(key))));

/** By definition: from each node, everything that can be reached. */
function reached(all: ReadonlyMap<string, Links>, node: string): string[] {
  const found = new Set([...all].filter(([, { nodes }]) => nodes.includes(node)).map(([key]) => key));
  for (const key of found) {
    for (const target of all.get(key)?.targets ?? []) found.add(target);
    for (const [other, { sources }] of all) if (sources.includes(key)) found.add(other);
  }
  return [...found].sort();
}

test('after any changes each node has exactly what can be reached from it, and each coming and going was told', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
      const told = new Map(NODES.map((node) => [node, new Set<string>()]));
      const graph = new ConcernGraph((node, key) => {
        const keys = told.get(node);
        if (keys?.delete(key) === false) keys.add(key);
      });
      const all = new Map<string, Links>();
      for (const [key, links] of changes) {
        all.set(key, links);
        graph.set(key, links);
        for (const node of NODES) {
          const expected = reached(all, node);
          assert.deepEqual([...(told.get(node) ?? [])].sort(), expected);
          const everywhere = node === EVERY_NODE ? [] : reached(all, EVERY_NODE);
          assert.deepEqual([...graph.keysOf(node)].sort(), [...new Set([...expected, ...everywhere])].sort());
          for (const other of KEYS) {
            assert.equal(graph.concerns(node, other), expected.includes(other) || everywhere.includes(other));
          }
        }
      }
    }),
  );
});
