import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '@skerry/api/types';
import { type Placement, resolvePlacement } from './resolve.ts';

const NODES: readonly Node[] = [
  { name: 'b', labels: { site: 'north', gpu: 'yes' } },
  { name: 'a', labels: { site: 'north' } },
  { name: 'c', labels: { site: 'south' } },
].map((metadata) => ({ apiVersion: 'v1', kind: 'Node', metadata }));

function check(placement: Placement | undefined, expected: readonly string[]): void {
  assert.deepEqual(resolvePlacement(placement, NODES), expected);
}

test('a name places on that node, if it exists', () => {
  check({ nodeName: 'c' }, ['c']);
  check({ nodeName: 'z' }, []);
});

test('a selector places on every node that has all its labels, in order of name', () => {
  check({ nodeSelector: { site: 'north' } }, ['a', 'b']);
  check({ nodeSelector: { site: 'north', gpu: 'yes' } }, ['b']);
  check({ nodeSelector: {} }, ['a', 'b', 'c']);
});

test('name and selector must both hold', () => check({ nodeName: 'c', nodeSelector: { site: 'north' } }, []));

test('no placement concerns no node', () => {
  check(undefined, []);
  check({}, []);
});
