import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { type FakeClock, fakeClock } from '@skerry/testkit';
import { RoadFile } from '../road/edge/road-file.ts';
import { OutletSender } from './outlet-sender.ts';
import { OutletError, type OutletRows, type OutletTarget } from './target.ts';

const SETTINGS = {
  priority: 'Live',
  maxRows: 100,
  maxDelayMs: 100,
  maxBytes: 1 << 20,
  maxAgeMs: 60_000,
  windows: [],
} as const;

/** An engine that is away whenever a test says so. */
class Engine implements OutletTarget {
  isAway = false;
  requests = 0;
  readonly values: unknown[] = [];

  async send(rows: readonly OutletRows[]): ReturnType<OutletTarget['send']> {
    this.requests += 1;
    if (this.isAway) throw new OutletError('nobody there');
    for (const { rows: one } of rows)
      for (let row = 0; row < one.length; row++) this.values.push(one.boxed?.get(row) ?? one.values[row]);
    return { rows: rows.reduce((sum, { rows: { length } }) => sum + length, 0), dropped: {} };
  }

  async close(): Promise<void> {}
}

interface Scene {
  readonly clock: FakeClock;
  readonly engine: Engine;
  /** Overwrites the rows of the first block that waits, not its head. */
  readonly spoil: () => void;
  /** As a process that has just started does. */
  readonly open: () => { readonly sender: OutletSender; readonly crash: () => Promise<void> };
}

async function check(story: (scene: Scene) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-outlet-'));
  const clock = fakeClock();
  const engine = new Engine();
  const closers: (() => Promise<void>)[] = [];
  const open = () => {
    const file = new RoadFile({ file: join(directory, 'outlets.db'), clock, log: silentLogger });
    const queue = file.queue('plant/press', SETTINGS);
    assert.ok(queue !== undefined);
    const sender = new OutletSender({ file, queue, clock, log: silentLogger, random: () => 0 });
    void sender.connect(engine);
    const crash = async (): Promise<void> => {
      closers.length = 0;
      await sender.close();
      file.close();
    };
    closers.push(crash);
    return { sender, crash };
  };
  const spoil = (): void => {
    const db = new DatabaseSync(join(directory, 'outlets.db'));
    const row = db.prepare('SELECT number, bytes FROM block ORDER BY number').get();
    assert.ok(row?.['bytes'] instanceof Uint8Array);
    const bytes = row['bytes'].slice(0, -4);
    db.prepare('UPDATE block SET bytes = ? WHERE number = ?').run(bytes, row['number'] ?? null);
    db.close();
  };
  try {
    await story({ clock, engine, open, spoil });
  } finally {
    for (const close of closers) await close();
    rmSync(directory, { recursive: true });
  }
}

function add(sender: OutletSender, ...values: (number | string)[]): void {
  const series = sender.series('float64', { device: 'a' });
  assert.ok(series !== undefined);
  for (const [index, value] of values.entries()) sender.add(series, 1000 + index, value, 192);
}

async function pass(clock: FakeClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) await clock.advance(50);
}

test('rows leave in order once the batch has waited for others', () =>
  check(async ({ clock, engine, open }) => {
    const { sender } = open();
    add(sender, 1, 2);
    assert.deepEqual(engine.values, []);
    await pass(clock, 300);
    add(sender, 3, 'four');
    await pass(clock, 300);
    assert.deepEqual(engine.values, [1, 2, 3, 'four']);
    const { taken, delivered, live } = sender.report();
    assert.deepEqual({ taken, delivered, blocks: live.blocks }, { taken: 4, delivered: 4, blocks: 0 });
  }));

test('an engine that is away is asked less and less often, and gets everything when it is back', () =>
  check(async ({ clock, engine, open }) => {
    const { sender } = open();
    engine.isAway = true;
    add(sender, 1);
    await pass(clock, 300);
    add(sender, 2);
    await pass(clock, 10_000);
    assert.match(sender.report().problem ?? '', /nobody there/);
    assert.ok(engine.requests < 25, `${engine.requests}`);
    engine.isAway = false;
    await pass(clock, 35_000);
    assert.deepEqual(engine.values, [1, 2]);
    assert.equal(sender.report().problem, undefined);
  }));

test('what was on disk when the process ended leaves after its next start', () =>
  check(async ({ clock, engine, open }) => {
    engine.isAway = true;
    const first = open();
    add(first.sender, 1, 2);
    await pass(clock, 300);
    await first.crash();
    engine.isAway = false;
    const { sender } = open();
    await pass(clock, 300);
    assert.deepEqual(engine.values, [1, 2]);
    assert.equal(sender.report().delivered, 2);
  }));

test('a row with a time that is none is counted, and keeps no others back', () =>
  check(async ({ clock, engine, open }) => {
    const { sender } = open();
    const series = sender.series('float64', { device: 'a' }) ?? 0;
    for (const time of [1e17, Number.NaN, 1000]) sender.add(series, time, 1, 192);
    await pass(clock, 300);
    assert.deepEqual(engine.values, [1]);
    assert.deepEqual(sender.report().dropped, { Refused: 2 });
  }));

test('blocks that waited leave together, as many as a batch has rows', () =>
  check(async ({ clock, engine, open }) => {
    const { sender } = open();
    engine.isAway = true;
    for (let value = 0; value < 50; value++) {
      add(sender, value);
      sender.flush();
    }
    await pass(clock, 1000);
    for (let value = 50; value < 100; value++) {
      add(sender, value);
      sender.flush();
    }
    assert.ok(sender.report().live.blocks < 70, `${sender.report().live.blocks}`);
    engine.isAway = false;
    engine.requests = 0;
    await pass(clock, 35_000);
    assert.deepEqual(
      engine.values,
      Array.from({ length: 100 }, (_, value) => value),
    );
    assert.ok(engine.requests <= 3, `${engine.requests}`);
  }));

test('a queue that is too old drops its oldest, and counts them', () =>
  check(async ({ clock, engine, open }) => {
    const { sender } = open();
    engine.isAway = true;
    add(sender, 1);
    await pass(clock, 61_000 + 30_000);
    add(sender, 2);
    await pass(clock, 1000);
    engine.isAway = false;
    await pass(clock, 35_000);
    assert.deepEqual(engine.values, [2]);
    assert.deepEqual(sender.report().dropped, { TooOld: 1 });
  }));

test('a block that can be read but not decoded is counted as damaged and keeps none behind it', () =>
  check(async ({ clock, engine, open, spoil }) => {
    const { sender } = open();
    engine.isAway = true;
    add(sender, 1);
    sender.flush();
    add(sender, 2, 3);
    sender.flush();
    spoil();
    engine.isAway = false;
    await pass(clock, 35_000);
    assert.deepEqual(engine.values, [2, 3]);
    const { dropped, live, problem } = sender.report();
    assert.deepEqual([dropped, live.blocks, problem], [{ Damaged: 1 }, 0, undefined]);
  }));
