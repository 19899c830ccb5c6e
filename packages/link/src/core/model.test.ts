/** The promises of SPEC.md under loss, cuts, half-open paths, paths that overtake each other, and crashes of either side. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { createWorld, type World } from './simulation/world.ts';

const actions = {
  put: ({ cloud }: World, n: number) => cloud.put(`key-${n % 7}`, `value-${n}`.padEnd(n % 3 === 0 ? 9 : 20_000, '.')),
  remove: ({ cloud }: World, n: number) => cloud.put(`key-${n % 7}`, undefined),
  compact: ({ cloud }: World) => {
    cloud.compactedTo = cloud.revision;
  },
  append: ({ edge }: World) => edge.append(),
  appendMany: ({ edge }: World) => {
    for (let count = 0; count < 400; count++) edge.append();
  },
  wantBlob: ({ edge }: World, n: number) => edge.want(n * 1_500),
  openFromCloud,
  openFromEdge,
  sendFromCloud: ({ cloud }: World, n: number) => cloud.streams.send(n, 1 + (n % 4), n % 2 === 0 ? 5 : 30_000),
  sendFromEdge: ({ edge }: World, n: number) => edge.streams.send(n, 1 + (n % 4), n % 2 === 0 ? 5 : 30_000),
  endFromCloud: ({ cloud }: World, n: number) => cloud.streams.end(n),
  endFromEdge: ({ edge }: World, n: number) => edge.streams.end(n),
  abortFromCloud: ({ cloud }: World, n: number) => cloud.streams.abort(n),
  cut: ({ network }: World, n: number) => network.cut(network.pathIds[n % network.pathIds.length] ?? 0),
  silence: ({ network }: World, n: number) => network.silence(network.pathIds[n % network.pathIds.length] ?? 0),
  crashEdge: ({ edge }: World) => edge.crash(),
  crashCloud: ({ cloud }: World) => cloud.crash(),
  loseNetwork: ({ network }: World) => {
    network.isDown = true;
    for (const id of network.pathIds) network.cut(id);
  },
  restoreNetwork: ({ network }: World) => {
    network.isDown = false;
  },
  rest: ({ advance }: World, n: number) => advance(n * 100),
} as const;

/** A stream with traffic both ways that is left open. */
function openFromCloud({ cloud }: World, n: number): void {
  if (!cloud.hub.isConnected) return;
  cloud.streams.open(cloud.hub.streams);
  cloud.streams.send(n, n % 20, n % 2 === 0 ? 5 : 10_000);
}

function openFromEdge({ edge }: World, n: number): void {
  if (!edge.session.isConnected) return;
  edge.streams.open(edge.session.streams);
  edge.streams.send(n, n % 20, n % 2 === 0 ? 5 : 10_000);
}

const calm = [
  'openFromCloud',
  'openFromEdge',
  'sendFromCloud',
  'sendFromEdge',
  'put',
  'append',
  'wantBlob',
  'rest',
] as const;

const action = fc.record({
  name: fc.oneof(fc.constantFrom(...calm), fc.constantFrom(...(Object.keys(actions) as (keyof typeof actions)[]))),
  n: fc.nat(100),
  thenMs: fc.oneof(fc.constant(0), fc.nat(60), fc.nat(3_000)),
});

interface Action {
  readonly name: keyof typeof actions;
  readonly n: number;
  readonly thenMs: number;
}

interface History {
  readonly seed: number;
  readonly paths: number;
  readonly story: readonly Action[];
}

const history: fc.Arbitrary<History> = fc.record({
  seed: fc.nat(),
  paths: fc.constantFrom(1, 2, 3),
  story: fc.array(action, { minLength: 5, maxLength: 60, size: 'max' }),
});

/** Long enough for every timeout, backoff and challenge there is. */
const UNTIL_QUIET_MS = 120_000;

test('whatever happens on the way, in the end nothing is lost, stale, doubled or out of order', () => {
  fc.assert(
    fc.property(history, ({ seed, paths, story }) => {
      check({ seed, paths, story });
    }),
    { numRuns: runs(200) },
  );
});

test('a process that dies right after it was welcomed and the next one are no two nodes', () =>
  check({
    seed: 2147483515,
    paths: 2,
    story: [
      { name: 'rest', n: 0, thenMs: 111 },
      { name: 'append', n: 0, thenMs: 0 },
      { name: 'append', n: 0, thenMs: 94 },
      { name: 'crashEdge', n: 0, thenMs: 77 },
      { name: 'crashEdge', n: 0, thenMs: 0 },
    ],
  }));

test('a node that is back with nothing changed is level again for less than 600 bytes of frames', () => {
  const { cloud, edge, network, advance } = createWorld({ seed: 1 });
  for (let count = 0; count < 100; count++) cloud.put(`v1/configmaps/default/object-${count}`, 'x'.repeat(600));
  advance(5_000);
  assert.equal(edge.objects.size, 100);
  edge.crash();
  advance(0);
  const before = network.bytes;
  const currents = edge.becameCurrent;
  advance(900);
  assert.equal(edge.becameCurrent, currents + 1);
  assert.ok(network.bytes - before < 600, `${network.bytes - before} bytes`);
});

function check({ seed, paths, story }: History): void {
  const world = createWorld({ seed, paths });
  for (const { name, n, thenMs } of story) {
    actions[name](world, n);
    world.advance(thenMs);
    checkAlways(world);
  }
  checkQuiet(world);
}

function checkAlways({ edge, cloud }: World): void {
  assertCounting(cloud.sunk, 'outbox entries reach the sink in order and without a gap');
  for (const stream of [...edge.streams.streams.values(), ...cloud.streams.streams.values()]) {
    assertCounting(stream.seen, `stream ${stream.id} delivers in order, each message once`);
    if (stream.isOurs && stream.outcome === 'closed') {
      assert.equal(stream.seen.length, stream.sent, `closed stream ${stream.id} has all its echoes`);
    }
  }
}

function checkQuiet(world: World): void {
  const { edge, cloud, network } = world;
  network.isDown = false;
  world.advance(UNTIL_QUIET_MS);
  edge.streams.endAll();
  cloud.streams.endAll();
  world.advance(5_000);
  checkAlways(world);
  assert.equal(edge.session.isCurrent, true, 'the edge is current');
  assert.deepEqual(replicaOf(edge), wantedOf(cloud), 'the replica is the feed');
  assert.deepEqual(edge.outbox, [], 'the outbox is empty');
  assert.equal(cloud.sunk.length, edge.appended, 'every entry reached the sink');
  for (const { name, size, kept } of edge.blobs) assert.equal(kept, size, `blob ${name} is whole`);
  for (const stream of [...edge.streams.streams.values(), ...cloud.streams.streams.values()]) {
    assert.notEqual(stream.outcome, 'open', `stream ${stream.id} has come to an end`);
  }
  assert.deepEqual(cloud.copies, [], 'a node alone is never taken for a copy');
}

function replicaOf(edge: World['edge']): ReadonlyMap<string, string> {
  return new Map([...edge.objects].map(([key, { value }]) => [key, value]));
}

function wantedOf(cloud: World['cloud']): ReadonlyMap<string, string> {
  const wanted = new Map<string, string>();
  for (const [key, { value }] of cloud.objects) if (value !== undefined) wanted.set(key, value);
  return wanted;
}

function assertCounting(numbers: readonly number[], what: string): void {
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => index + 1),
    what,
  );
}
