/** The road's protocol under whatever can happen: cuts, crashes of both sides, restored disks, full queues. SPEC.md, "Promises". */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import type { RouteSettings } from '../contract.ts';
import { type CloudMessage, decodeCloudMessage, encodeCloudMessage, encodeEdgeMessage } from '../wire/messages.ts';
import { ModelCloud } from './simulation/cloud.ts';
import { ModelEdge } from './simulation/edge.ts';

const ROUTE: RouteSettings = {
  priority: 'Live',
  maxRows: 100,
  maxDelayMs: 100,
  maxBytes: 1e9,
  maxAgeMs: 1e9,
  windows: [],
};
const ROUTES: readonly RouteSettings[] = [
  { ...ROUTE, priority: 'Alarms' },
  ROUTE,
  { ...ROUTE, bytesPerSecond: 50 },
  { ...ROUTE, maxBytes: 200 },
];

type Step =
  | { readonly type: 'add'; readonly queue: number; readonly rows: number }
  | { readonly type: 'run' | 'up' | 'down'; readonly count: number }
  | { readonly type: 'wait'; readonly ms: number }
  | { readonly type: 'sync' | 'connect' | 'cut' | 'crash-edge' | 'crash-cloud' };

const often = (weight: number, arbitrary: fc.Arbitrary<Step>) => ({ weight, arbitrary });

const STEP: fc.Arbitrary<Step> = fc.oneof(
  often(
    6,
    fc.record({ type: fc.constant('add'), queue: fc.nat(ROUTES.length - 1), rows: fc.integer({ min: 1, max: 9 }) }),
  ),
  often(6, fc.record({ type: fc.constantFrom('run', 'up', 'down'), count: fc.integer({ min: 1, max: 8 }) })),
  often(2, fc.record({ type: fc.constant('wait'), ms: fc.constantFrom(10, 600, 1500, 5000) })),
  often(3, fc.record({ type: fc.constant('sync') })),
  often(3, fc.record({ type: fc.constant('connect') })),
  often(1, fc.record({ type: fc.constantFrom('cut', 'crash-edge', 'crash-cloud') })),
);

class World {
  readonly edge = new ModelEdge(ROUTES);
  readonly cloud = new ModelCloud();
  readonly #queueOf = new Map<number, number>();
  #up: Uint8Array[] = [];
  #down: Uint8Array[] = [];
  #now = Date.UTC(2026, 0, 1);
  #rows = 0;

  perform(step: Step): void {
    switch (step.type) {
      case 'add':
        this.#add(step.queue, step.rows);
        break;
      case 'run':
        this.#run(step.count);
        break;
      case 'up':
        this.#deliverUp(step.count);
        break;
      case 'down':
        this.#deliverDown(step.count);
        break;
      case 'wait':
        this.#now += step.ms;
        this.edge.trim(this.#now);
        break;
      case 'sync':
        this.#answer(this.cloud.sync());
        break;
      case 'connect':
        this.#connect();
        break;
      default:
        this.#break(step.type);
    }
  }

  #break(how: 'cut' | 'crash-edge' | 'crash-cloud'): void {
    this.#cut();
    if (how === 'crash-edge') this.edge.restart();
    if (how === 'crash-cloud') this.cloud.crash();
  }

  /** Nothing happens any more but what has to. */
  drain(): void {
    for (let turn = 0; turn < 2000 && !this.edge.isEmpty; turn++) {
      this.#connect();
      this.#run(20);
      this.#deliverUp(100);
      this.#answer(this.cloud.sync());
      this.#deliverDown(100);
      this.#now += 500;
    }
    this.#answer(this.cloud.sync());
  }

  #add(queue: number, rows: number): void {
    const content = Array.from({ length: rows }, () => ++this.#rows);
    for (const row of content) this.#queueOf.set(row, queue);
    this.edge.add(queue, content, this.#now);
  }

  #connect(): void {
    if (this.edge.isConnected) return;
    this.edge.connect();
    this.cloud.begin();
  }

  #cut(): void {
    this.edge.disconnect();
    this.cloud.end();
    this.#up = [];
    this.#down = [];
  }

  #run(count: number): void {
    for (let each = 0; each < count; each++) {
      const messages = this.edge.next(this.#now);
      if (messages === undefined) return;
      this.#up.push(...messages.map((message) => encodeEdgeMessage(message).slice()));
    }
  }

  #deliverUp(count: number): void {
    for (const bytes of this.#up.splice(0, count))
      this.#answer(this.cloud.receive(bytes, ([row = 0]) => this.#queueOf.get(row) ?? -1));
  }

  #deliverDown(count: number): void {
    for (const bytes of this.#down.splice(0, count)) this.edge.receive(decodeCloudMessage(bytes), this.#now);
  }

  #answer(messages: readonly CloudMessage[]): void {
    this.#down.push(...messages.map((message) => encodeCloudMessage(message).slice()));
  }
}

function ascending(rows: readonly number[]): readonly number[] {
  return rows.toSorted((a, b) => a - b);
}

function check(steps: readonly Step[]): void {
  const world = new World();
  for (const step of steps) world.perform(step);
  world.drain();
  const { edge, cloud } = world;
  assert.ok(edge.isEmpty, 'everything leaves in the end');
  const arrived = new Set(cloud.rows);
  assert.equal(arrived.size, cloud.rows.length, 'nothing is there twice');
  const all = edge.taken.flat();
  assert.deepEqual(new Set([...arrived, ...edge.dropped]), new Set(all), 'nothing is lost without being counted');
  // What was dropped while nobody knew whether it had come counts as dropped.
  assert.equal(edge.delivered + edge.dropped.length, all.length);
  for (const queue of ROUTES.keys()) {
    for (const lane of ['live', 'late'] as const)
      assert.deepEqual(cloud.lane(queue, lane), ascending(cloud.lane(queue, lane)), 'each lane is in order');
  }
}

test('every row is in the cloud once, or was dropped and counted; each lane is in order', () =>
  fc.assert(fc.property(fc.array(STEP, { minLength: 20, maxLength: 200, size: 'max' }), check), {
    numRuns: runs(300),
  }));
