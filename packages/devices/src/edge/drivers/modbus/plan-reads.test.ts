import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { type Block, planReads, type ReadCode, type ReadLimits, type Span, splitBlock } from './plan-reads.ts';

const LIMITS: ReadLimits = { maxRegisters: 125, maxBits: 2000, maxGap: 4 };

/** Spans as [address, count]; blocks as [address, count]. */
function check(
  spans: readonly (readonly [number, number])[],
  expected: readonly (readonly [number, number])[],
  limits = {},
): void {
  const blocks = planReads(
    spans.map(([address, count]) => ({ unit: 1, code: 3, address, count })),
    { ...LIMITS, ...limits },
  );
  assert.deepEqual(
    blocks.map(({ address, count }) => [address, count]),
    expected,
  );
}

test('neighbours are read together, also over a small gap, and whatever their order', () => {
  check(
    [
      [4, 2],
      [0, 2],
      [2, 2],
    ],
    [[0, 6]],
  );
  check(
    [
      [0, 1],
      [5, 1],
    ],
    [[0, 6]],
  );
  check(
    [
      [0, 1],
      [6, 1],
    ],
    [
      [0, 1],
      [6, 1],
    ],
  );
  check(
    [
      [0, 4],
      [1, 1],
      [3, 3],
    ],
    [[0, 6]],
  );
});

test('no request is longer than the device takes', () => {
  check(
    [
      [0, 100],
      [100, 25],
      [125, 1],
    ],
    [
      [0, 125],
      [125, 1],
    ],
  );
  check(
    [
      [0, 8],
      [8, 8],
    ],
    [
      [0, 8],
      [8, 8],
    ],
    { maxRegisters: 10 },
  );
  check(
    [[0, 30]],
    [
      [0, 10],
      [10, 10],
      [20, 10],
    ],
    { maxRegisters: 10 },
  );
});

test('ten thousand neighbours are eighty requests', () => {
  const blocks = planReads(
    Array.from({ length: 10_000 }, (_, address) => ({ unit: 1, code: 3, address, count: 1 })),
    LIMITS,
  );
  assert.equal(blocks.length, 80);
});

const anySpan: fc.Arbitrary<Span> = fc.record({
  unit: fc.integer({ min: 1, max: 2 }),
  code: fc.constantFrom<ReadCode>(1, 2, 3, 4),
  address: fc.nat(3000),
  count: fc.integer({ min: 1, max: 300 }),
});
const anyLimits = fc.record({
  maxRegisters: fc.integer({ min: 1, max: 125 }),
  maxBits: fc.integer({ min: 1, max: 2000 }),
  maxGap: fc.nat(20),
});

/** Every register of every span is in the block of exactly one of its pieces. */
function assertCovers(spans: readonly Span[], blocks: readonly Block[]): void {
  const covered = spans.map(({ count }) => new Uint8Array(count));
  for (const { unit, code, address, count, pieces } of blocks) {
    for (const piece of pieces) {
      const span = spans[piece.span];
      assert.deepEqual([span?.unit, span?.code, (span?.address ?? 0) + piece.from], [unit, code, piece.address]);
      assert.ok(piece.address >= address && piece.address + piece.count <= address + count);
      const seen = covered[piece.span];
      assert.ok(seen !== undefined);
      for (let at = piece.from; at < piece.from + piece.count; at++) seen[at] = (seen[at] ?? 0) + 1;
    }
  }
  assert.ok(covered.every((each) => each.every((times) => times === 1)));
}

test('whatever is asked for, everything is read once, within the limits, and nothing but gaps is read along', () => {
  const property = fc.property(fc.array(anySpan, { maxLength: 60 }), anyLimits, (spans, limits) => {
    const blocks = planReads(spans, limits);
    assertCovers(spans, blocks);
    for (const { code, count, pieces } of blocks) {
      assert.ok(count <= (code <= 2 ? limits.maxBits : limits.maxRegisters));
      const gap = code <= 2 ? limits.maxGap * 16 : limits.maxGap;
      let end = pieces[0]?.address ?? 0;
      for (const piece of pieces) {
        assert.ok(piece.address - end <= gap);
        end = Math.max(end, piece.address + piece.count);
      }
    }
  });
  fc.assert(property, { numRuns: runs(300) });
});

test('a refused block is parted until single pieces are left, and none is lost', () => {
  const property = fc.property(fc.array(anySpan, { minLength: 1, maxLength: 40 }), anyLimits, (spans, limits) => {
    const blocks = planReads(spans, limits);
    const single = (block: Block): readonly Block[] => splitBlock(block)?.flatMap(single) ?? [block];
    const parted = blocks.flatMap(single);
    assertCovers(spans, parted);
    assert.ok(parted.every(({ pieces }) => pieces.length === 1));
  });
  fc.assert(property, { numRuns: runs(200) });
});
