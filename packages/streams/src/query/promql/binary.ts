/** Operators between numbers and vectors. */
import { type Binary, type Matching, PromQlError } from './ast.ts';
import {
  keyOf,
  labelsFrom,
  METRIC_NAME,
  type MetricLabels,
  mapSeries,
  newSeries,
  type Value,
  type VectorSeries,
  withLabel,
  withoutName,
} from './vector.ts';

const ARITHMETIC: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
  '^': (a, b) => a ** b,
  atan2: Math.atan2,
};

const COMPARISONS: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '>': (a, b) => a > b,
  '<': (a, b) => a < b,
  '>=': (a, b) => a >= b,
  '<=': (a, b) => a <= b,
};

const SETS = new Set(['and', 'or', 'unless']);

export function combine(expr: Binary, left: Value, right: Value): Value {
  if (left.type === 'string' || right.type === 'string') throw new PromQlError(`${expr.op} is not for texts`);
  if (left.type === 'scalar' && right.type === 'scalar') return numbers(expr, left.values, right.values);
  if (SETS.has(expr.op)) {
    if (left.type === 'scalar' || right.type === 'scalar') throw new PromQlError(`${expr.op} is between vectors only`);
    return { type: 'vector', series: sets(expr, left.series, right.series) };
  }
  if (left.type === 'vector' && right.type === 'vector')
    return { type: 'vector', series: vectors(expr, left.series, right.series) };
  if (left.type === 'vector') return withNumber(expr, left.series, right, false);
  return right.type === 'vector' ? withNumber(expr, right.series, left, true) : left;
}

/** The value of one pair; undefined where a comparison does not hold. `shown` is the value that a comparison lets through. */
function pairOf({ op, isBool }: Binary): (a: number, b: number, shown: number) => number | undefined {
  const arithmetic = ARITHMETIC[op];
  if (arithmetic !== undefined) return arithmetic;
  const holds = COMPARISONS[op];
  if (holds === undefined) throw new PromQlError(`the operator ${op} is not there`);
  if (isBool) return (a, b) => Number(holds(a, b));
  return (a, b, shown) => (holds(a, b) ? shown : undefined);
}

/** Comparisons that filter leave a series as it is, name and all. */
function keepsName({ op, isBool }: Binary): boolean {
  return op in COMPARISONS && !isBool;
}

function numbers(expr: Binary, left: Float64Array, right: Float64Array): Value {
  if (keepsName(expr)) throw new PromQlError(`a comparison of two numbers needs "bool": ${expr.op} bool`);
  const pair = pairOf(expr);
  return { type: 'scalar', values: left.map((a, step) => pair(a, right[step] ?? Number.NaN, a) ?? Number.NaN) };
}

function withNumber(
  expr: Binary,
  series: readonly VectorSeries[],
  number: Value & { readonly type: 'scalar' | 'vector' },
  isNumberFirst: boolean,
): Value {
  if (number.type !== 'scalar') return { type: 'vector', series };
  const pair = pairOf(expr);
  const made = series.map((one) =>
    mapSeries(
      one,
      (value, step) => {
        const other = number.values[step] ?? Number.NaN;
        return isNumberFirst ? pair(other, value, value) : pair(value, other, value);
      },
      keepsName(expr) ? one.labels : withoutName(one.labels),
    ),
  );
  return { type: 'vector', series: made };
}

const EVERY_LABEL: Matching = { mode: 'ignoring', labels: [], include: [] };

/** The labels by which series of both sides belong together. */
function signatureOf({ mode, labels }: Matching): (labels: MetricLabels) => string {
  const named = new Set(labels);
  return (all) =>
    keyOf(
      new Map(
        [...all].filter(([name]) => (mode === 'on' ? named.has(name) : name !== METRIC_NAME && !named.has(name))),
      ),
    );
}

function sets(
  { op, matching = EVERY_LABEL }: Binary,
  left: readonly VectorSeries[],
  right: readonly VectorSeries[],
): VectorSeries[] {
  const signature = signatureOf(matching);
  const presence = (series: readonly VectorSeries[]): Map<string, Uint8Array> => {
    const found = new Map<string, Uint8Array>();
    for (const { labels, present } of series) {
      const key = signature(labels);
      const known = found.get(key);
      found.set(key, known === undefined ? present.slice() : known.map((one, step) => one | (present[step] ?? 0)));
    }
    return found;
  };
  const keep = (series: readonly VectorSeries[], others: Map<string, Uint8Array>, wanted: 0 | 1): VectorSeries[] =>
    series.map((one) => {
      const other = others.get(signature(one.labels));
      return mapSeries(one, (value, step) => ((other?.[step] ?? 0) === wanted ? value : undefined), one.labels);
    });
  if (op === 'or') return [...left, ...keep(right, presence(left), 0)];
  return keep(left, presence(right), op === 'and' ? 1 : 0);
}

interface Made {
  readonly series: VectorSeries;
  /** By which `many` each step was made: a second one would make it twice. */
  readonly by: Uint32Array;
}

function vectors(expr: Binary, left: readonly VectorSeries[], right: readonly VectorSeries[]): VectorSeries[] {
  const matching = expr.matching ?? EVERY_LABEL;
  const signature = signatureOf(matching);
  const isSwapped = matching.group === 'right';
  const [many, one] = isSwapped ? [right, left] : [left, right];
  const pair = pairOf(expr);
  const ones = Map.groupBy(one, ({ labels }) => signature(labels));
  const made = new Map<string, Made>();
  many.forEach((series, index) => {
    for (const other of ones.get(signature(series.labels)) ?? [])
      matchPair(expr, { series, other, index, isSwapped, pair, made });
  });
  refuseAmbiguous(ones);
  return Array.from(made.values(), ({ series }) => series);
}

interface Pairing {
  readonly series: VectorSeries;
  readonly other: VectorSeries;
  readonly index: number;
  readonly isSwapped: boolean;
  readonly pair: ReturnType<typeof pairOf>;
  readonly made: Map<string, Made>;
}

function matchPair(expr: Binary, { series, other, index, isSwapped, pair, made }: Pairing): void {
  const labels = resultLabels(expr, series.labels, other.labels);
  const key = keyOf(labels);
  const steps = series.values.length;
  const result = made.get(key) ?? { series: newSeries(labels, steps), by: new Uint32Array(steps) };
  made.set(key, result);
  for (let step = 0; step < steps; step++) {
    if (series.present[step] === 0 || other.present[step] === 0) continue;
    if (![0, index + 1].includes(result.by[step] ?? 0))
      throw new PromQlError(
        'several series match one: group_left or group_right is needed, or labels that tell them apart',
      );
    result.by[step] = index + 1;
    const [a, b] = [series.values[step] ?? Number.NaN, other.values[step] ?? Number.NaN];
    const value = isSwapped ? pair(b, a, b) : pair(a, b, a);
    if (value === undefined) continue;
    result.series.values[step] = value;
    result.series.present[step] = 1;
  }
}

function refuseAmbiguous(ones: ReadonlyMap<string, readonly VectorSeries[]>): void {
  for (const [first, ...more] of ones.values()) {
    if (first === undefined) continue;
    const seen = first.present.slice();
    for (const { present } of more) {
      present.forEach((isThere, step) => {
        if (isThere !== 0 && seen[step] !== 0)
          throw new PromQlError('several series of the side that must be one have the same labels to match by');
        seen[step] = (seen[step] ?? 0) | isThere;
      });
    }
  }
}

function resultLabels(
  { matching = EVERY_LABEL, ...expr }: Binary,
  many: MetricLabels,
  one: MetricLabels,
): MetricLabels {
  const base = keepsName(expr) ? many : withoutName(many);
  if (matching.group !== undefined)
    return matching.include.reduce((labels, name) => withLabel(labels, name, one.get(name) ?? ''), base);
  const named = new Set(matching.labels);
  return labelsFrom([...base].filter(([name]) => named.has(name) === (matching.mode === 'on')));
}
