/** Functions of vectors, numbers and texts; those of ranges are in over-time.ts. */
import { RE2JS } from 're2js';
import { type Expr, PromQlError } from './ast.ts';
import { quantile } from './over-time.ts';
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

export interface CallContext {
  /** Milliseconds since 1970. */
  readonly times: Float64Array;
  /** As written, for what a function reads from a selector. */
  readonly exprs: readonly Expr[];
}

type PromFunction = (args: readonly Value[], context: CallContext) => Value;

const vectorOf = (args: readonly Value[], index: number): readonly VectorSeries[] => {
  const value = args[index];
  if (value?.type === 'vector') return value.series;
  throw new PromQlError(`argument ${index + 1} must be a vector`);
};
const numberOf = (args: readonly Value[], index: number): Float64Array => {
  const value = args[index];
  if (value?.type === 'scalar') return value.values;
  throw new PromQlError(`argument ${index + 1} must be a number`);
};
const textOf = (args: readonly Value[], index: number): string => {
  const value = args[index];
  if (value?.type === 'string') return value.text;
  throw new PromQlError(`argument ${index + 1} must be a text`);
};
const vector = (series: readonly VectorSeries[]): Value => ({ type: 'vector', series });

function full(values: Float64Array, labels: MetricLabels = new Map()): VectorSeries {
  return { labels, values, present: new Uint8Array(values.length).fill(1) };
}

/** Each value for itself. */
function each(change: (value: number) => number): PromFunction {
  return (args) => vector(vectorOf(args, 0).map((one) => mapSeries(one, change)));
}

/** With one or two numbers beside the vector. */
function bounded(change: (value: number, a: number, b: number) => number | undefined, from = 1): PromFunction {
  return (args) => {
    const numbers = args.slice(from).map((_arg, index) => numberOf(args, index + from));
    const [a, b] = numbers;
    return vector(
      vectorOf(args, 0).map((one) =>
        mapSeries(one, (value, step) => change(value, a?.[step] ?? Number.NaN, b?.[step] ?? Number.NaN)),
      ),
    );
  };
}

/** Of each value as seconds since 1970; of the step's own time without an argument. */
function calendar(part: (date: Date) => number): PromFunction {
  return (args, { times }) => {
    const series = args.length === 0 ? [full(times.map((time) => time / 1000))] : vectorOf(args, 0);
    return vector(series.map((one) => mapSeries(one, (value) => part(new Date(value * 1000)))));
  };
}

function round(value: number, to: number): number {
  const inverse = 1 / (Number.isNaN(to) ? 1 : to);
  return Math.floor(value * inverse + 0.5) / inverse;
}

function clamp(value: number, min: number, max: number): number | undefined {
  return min > max ? undefined : Math.max(min, Math.min(max, value));
}

/** One series where there is none, with the labels that the selector asks for by `=`. */
const absent: PromFunction = (args, { times, exprs }) => {
  const [selector] = exprs;
  const asked =
    selector?.kind === 'vector' ? selector.matchers.filter(({ op, label }) => op === '=' && label !== METRIC_NAME) : [];
  const once = asked.filter(({ label }) => asked.filter((other) => other.label === label).length === 1);
  const made = newSeries(labelsFrom(once.map(({ label, value }) => [label, value] as const)), times.length);
  const series = vectorOf(args, 0);
  for (let step = 0; step < times.length; step++) {
    if (series.some(({ present }) => present[step] !== 0)) continue;
    made.present[step] = 1;
    made.values[step] = 1;
  }
  return vector([made]);
};

const LABEL_FORMAT = /^[a-zA-Z_]\w*$/;

const labelReplace: PromFunction = (args) => {
  const [target, replacement, source] = [textOf(args, 1), textOf(args, 2), textOf(args, 3)];
  if (!LABEL_FORMAT.test(target)) throw new PromQlError(`"${target}" is no name of a label`);
  let pattern: RE2JS;
  try {
    pattern = RE2JS.compile(`^(?:${textOf(args, 4)})$`, RE2JS.DOTALL);
  } catch {
    throw new PromQlError(`"${textOf(args, 4)}" is no regular expression`);
  }
  return vector(
    vectorOf(args, 0).map((one) => {
      const match = pattern.matcher(one.labels.get(source) ?? '');
      if (!match.matches()) return one;
      const text = replacement.replaceAll(
        /\$(?:(\d+)|\{(\w+)\}|(\w+)|(\$))/g,
        (_whole, number, braced, named, dollar) => {
          if (dollar !== undefined) return '$';
          const name = String(number ?? braced ?? named);
          try {
            return match.group(/^\d+$/.test(name) ? Number(name) : name) ?? '';
          } catch {
            return '';
          }
        },
      );
      return { ...one, labels: withLabel(one.labels, target, text) };
    }),
  );
};

const labelJoin: PromFunction = (args) => {
  const [target, separator] = [textOf(args, 1), textOf(args, 2)];
  const sources = args.slice(3).map((_arg, index) => textOf(args, index + 3));
  return vector(
    vectorOf(args, 0).map((one) => {
      const text = sources.map((source) => one.labels.get(source) ?? '').join(separator);
      return { ...one, labels: withLabel(one.labels, target, text) };
    }),
  );
};

/** Of a classic histogram: buckets are series with the label `le`. */
const histogramQuantile: PromFunction = (args) => {
  const q = numberOf(args, 0);
  const withBound = vectorOf(args, 1).flatMap((one) => {
    const bound = one.labels.get('le');
    const upper = bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound ?? Number.NaN);
    return bound === undefined || Number.isNaN(upper) ? [] : [{ one, upper }];
  });
  const rest = (labels: MetricLabels) =>
    new Map([...withoutName(labels)].filter(([name]) => name !== 'le')) as MetricLabels;
  const groups = Map.groupBy(withBound, ({ one }) => keyOf(rest(one.labels)));
  return vector(
    Array.from(groups.values(), (members) => {
      const sorted = members.toSorted((a, b) => a.upper - b.upper);
      const made = newSeries(rest(sorted[0]?.one.labels ?? new Map()), q.length);
      for (let step = 0; step < q.length; step++) {
        const buckets = sorted
          .filter(({ one }) => one.present[step] !== 0)
          .map(({ one, upper }) => ({ upper, count: one.values[step] ?? 0 }));
        if (buckets.length === 0) continue;
        made.present[step] = 1;
        made.values[step] = bucketQuantile(q[step] ?? Number.NaN, buckets);
      }
      return made;
    }),
  );
};

function bucketQuantile(q: number, raw: readonly { readonly upper: number; readonly count: number }[]): number {
  const last = raw.at(-1);
  if (last?.upper !== Number.POSITIVE_INFINITY || raw.length < 2 || last.count === 0) return Number.NaN;
  if (Number.isNaN(q) || q < 0 || q > 1) return quantile(q, [0]);
  let most = 0;
  const buckets = raw.map(({ upper, count }) => {
    most = Math.max(most, count);
    return { upper, count: most };
  });
  const total = buckets.at(-1)?.count ?? 0;
  const rank = q * total;
  const index = buckets.findIndex(({ count }, at) => at === buckets.length - 1 || count >= rank);
  const found = buckets[index];
  if (found === undefined || index === buckets.length - 1) return buckets.at(-2)?.upper ?? Number.NaN;
  if (index === 0 && found.upper <= 0) return found.upper;
  const before = buckets[index - 1];
  const [start, below] = [before?.upper ?? 0, before?.count ?? 0];
  return start + ((found.upper - start) * (rank - below)) / (found.count - below);
}

const DAY_MS = 86_400_000;
const degrees = 180 / Math.PI;

/** By name. */
export const FUNCTIONS: Readonly<Record<string, PromFunction>> = {
  abs: each(Math.abs),
  absent,
  acos: each(Math.acos),
  acosh: each(Math.acosh),
  asin: each(Math.asin),
  asinh: each(Math.asinh),
  atan: each(Math.atan),
  atanh: each(Math.atanh),
  ceil: each(Math.ceil),
  clamp: bounded(clamp),
  clamp_max: bounded((value, max) => Math.min(value, max)),
  clamp_min: bounded((value, min) => Math.max(value, min)),
  cos: each(Math.cos),
  cosh: each(Math.cosh),
  day_of_month: calendar((date) => date.getUTCDate()),
  day_of_week: calendar((date) => date.getUTCDay()),
  day_of_year: calendar((date) => Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0)) / DAY_MS) + 1),
  days_in_month: calendar((date) => new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()),
  deg: each((value) => value * degrees),
  exp: each(Math.exp),
  floor: each(Math.floor),
  histogram_quantile: histogramQuantile,
  hour: calendar((date) => date.getUTCHours()),
  label_join: labelJoin,
  label_replace: labelReplace,
  ln: each(Math.log),
  log10: each(Math.log10),
  log2: each(Math.log2),
  minute: calendar((date) => date.getUTCMinutes()),
  month: calendar((date) => date.getUTCMonth() + 1),
  pi: (_args, { times }) => ({ type: 'scalar', values: times.map(() => Math.PI) }),
  rad: each((value) => value / degrees),
  round: bounded(round),
  scalar: (args, { times }) => {
    const series = vectorOf(args, 0);
    const only = (step: number): number => {
      const there = series.filter(({ present }) => present[step] !== 0);
      return there.length === 1 ? (there[0]?.values[step] ?? Number.NaN) : Number.NaN;
    };
    return { type: 'scalar', values: times.map((_time, step) => only(step)) };
  },
  sgn: each(Math.sign),
  sin: each(Math.sin),
  sinh: each(Math.sinh),
  sort: (args) => vector(sorted(vectorOf(args, 0), (a, b) => a - b)),
  sort_desc: (args) => vector(sorted(vectorOf(args, 0), (a, b) => b - a)),
  sqrt: each(Math.sqrt),
  tan: each(Math.tan),
  tanh: each(Math.tanh),
  time: (_args, { times }) => ({ type: 'scalar', values: times.map((time) => time / 1000) }),
  vector: (args) => vector([full(numberOf(args, 0))]),
  year: calendar((date) => date.getUTCFullYear()),
};

/** By the value of the last step, which is the only one of an instant query; others have no order of series. */
function sorted(series: readonly VectorSeries[], compare: (a: number, b: number) => number): VectorSeries[] {
  const value = ({ values }: VectorSeries): number => values.at(-1) ?? Number.NaN;
  return series.toSorted((a, b) => {
    if (Number.isNaN(value(a)) || Number.isNaN(value(b)))
      return Number(Number.isNaN(value(a))) - Number(Number.isNaN(value(b)));
    return compare(value(a), value(b));
  });
}
