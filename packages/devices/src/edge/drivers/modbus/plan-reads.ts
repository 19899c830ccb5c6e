/** Which requests bring a set of points: few and long ones, within what the device takes. Pure. */

export type ReadCode = 1 | 2 | 3 | 4;

/** What one point needs. */
export interface Span {
  readonly unit: number;
  readonly code: ReadCode;
  readonly address: number;
  /** Registers or bits. */
  readonly count: number;
}

/** A part of a span: all of it, unless it is longer than a request. */
export interface Piece {
  readonly span: number;
  /** Where in the span it begins. */
  readonly from: number;
  readonly address: number;
  readonly count: number;
}

/** One request. */
export interface Block {
  readonly unit: number;
  readonly code: ReadCode;
  readonly address: number;
  readonly count: number;
  /** By address. */
  readonly pieces: readonly Piece[];
}

export interface ReadLimits {
  readonly maxRegisters: number;
  readonly maxBits: number;
  /** So many registers (or sixteen times as many bits) that nobody wants are read along, where that saves a request. */
  readonly maxGap: number;
}

const BITS_A_REGISTER = 16;

export function planReads(spans: readonly Span[], limits: ReadLimits): readonly Block[] {
  const tables = Map.groupBy(spans.keys(), (index) => `${spans[index]?.unit}/${spans[index]?.code}`);
  return [...tables.values()].flatMap((indices) => planTable(spans, indices, limits));
}

function planTable(spans: readonly Span[], indices: readonly number[], limits: ReadLimits): readonly Block[] {
  const first = spans[indices[0] ?? 0];
  if (first === undefined) return [];
  const { unit, code } = first;
  const areBits = code <= 2;
  const most = areBits ? limits.maxBits : limits.maxRegisters;
  const gap = areBits ? limits.maxGap * BITS_A_REGISTER : limits.maxGap;
  const pieces = indices
    .flatMap((index) => cut(index, spans[index], most))
    .sort((one, other) => one.address - other.address || one.count - other.count);
  const runs: Piece[][] = [];
  let [start, end] = [0, 0];
  for (const piece of pieces) {
    const run = runs.at(-1);
    const newEnd = Math.max(end, piece.address + piece.count);
    if (run !== undefined && piece.address <= end + gap && newEnd - start <= most) {
      run.push(piece);
      end = newEnd;
    } else {
      runs.push([piece]);
      [start, end] = [piece.address, piece.address + piece.count];
    }
  }
  return runs.map((run) => blockOf(unit, code, run));
}

function cut(span: number, whole: Span | undefined, most: number): readonly Piece[] {
  if (whole === undefined) return [];
  const pieces: Piece[] = [];
  for (let from = 0; from < whole.count; from += most)
    pieces.push({ span, from, address: whole.address + from, count: Math.min(most, whole.count - from) });
  return pieces;
}

function blockOf(unit: number, code: ReadCode, pieces: readonly Piece[]): Block {
  const address = pieces[0]?.address ?? 0;
  const end = pieces.reduce((far, piece) => Math.max(far, piece.address + piece.count), address);
  return { unit, code, address, count: end - address, pieces };
}

/** Two smaller blocks for one that the device refused: parted at the widest gap, else in the middle. Nothing for a single piece. */
export function splitBlock({ unit, code, pieces }: Block): readonly [Block, Block] | undefined {
  if (pieces.length < 2) return undefined;
  let [at, widest] = [pieces.length >> 1, 0];
  for (let index = 1; index < pieces.length; index++) {
    const [before, after] = [pieces[index - 1], pieces[index]];
    const gap = before === undefined || after === undefined ? 0 : after.address - before.address - before.count;
    if (gap > widest) [at, widest] = [index, gap];
  }
  return [blockOf(unit, code, pieces.slice(0, at)), blockOf(unit, code, pieces.slice(at))];
}
