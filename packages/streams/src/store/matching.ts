/** Which series a set of matchers means: an inverted index from label and value to numbers, and what is left is looked at one by one. */
import { RE2JS } from 're2js';
import type { SeriesId } from '../contract/index.ts';
import type { Labels, Matcher } from './contract.ts';
import { seriesErrors } from './errors.ts';

const MAX_PATTERN_LENGTH = 1024;
const MAX_MATCHERS = 32;

export class LabelIndex {
  readonly #postings = new Map<string, Map<string, Set<SeriesId>>>();

  add(id: SeriesId, labels: Labels): void {
    for (const [name, value] of Object.entries(labels)) {
      const values = this.#postings.get(name) ?? new Map<string, Set<SeriesId>>();
      this.#postings.set(name, values);
      values.set(value, (values.get(value) ?? new Set()).add(id));
    }
  }

  remove(id: SeriesId, labels: Labels): void {
    for (const [name, value] of Object.entries(labels)) {
      const values = this.#postings.get(name);
      const ids = values?.get(value);
      ids?.delete(id);
      if (ids?.size === 0) values?.delete(value);
      if (values?.size === 0) this.#postings.delete(name);
    }
  }

  names(): readonly string[] {
    return [...this.#postings.keys()].sort();
  }

  valuesOf(label: string): readonly string[] {
    return [...(this.#postings.get(label)?.keys() ?? [])].sort();
  }

  /** Rising; undefined: all there are. */
  candidates(tests: readonly LabelTest[]): Iterable<SeriesId> | undefined {
    let fewest: ReadonlySet<SeriesId> | undefined;
    for (const test of tests) {
      if (test.holds('')) continue;
      const found = this.#idsOf(test);
      if (fewest === undefined || found.size < fewest.size) fewest = found;
    }
    return fewest && Uint32Array.from(fewest).sort();
  }

  #idsOf({ label, holds, only }: LabelTest): ReadonlySet<SeriesId> {
    const values = this.#postings.get(label) ?? new Map<string, Set<SeriesId>>();
    if (only !== undefined) return values.get(only) ?? new Set();
    const ids = new Set<SeriesId>();
    for (const [value, those] of values) if (holds(value)) for (const id of those) ids.add(id);
    return ids;
  }
}

export interface LabelTest {
  readonly label: string;
  /** The one value that it allows. */
  readonly only?: string;
  readonly holds: (value: string) => boolean;
}

/** Throws where a pattern is none. Patterns take time in proportion to their text, whoever wrote them. */
export function testsOf(matchers: readonly Matcher[]): readonly LabelTest[] {
  if (matchers.length > MAX_MATCHERS) throw seriesErrors.QUERY({ problem: `more than ${MAX_MATCHERS} matchers` });
  return matchers.map(testOf);
}

function testOf({ label, op, value }: Matcher): LabelTest {
  switch (op) {
    case '=':
      return { label, only: value, holds: (other) => other === value };
    case '!=':
      return { label, holds: (other) => other !== value };
    case '=~':
      return { label, holds: patternOf(value) };
    case '!~': {
      const isMatch = patternOf(value);
      return { label, holds: (other) => !isMatch(other) };
    }
  }
}

function patternOf(source: string): (value: string) => boolean {
  if (source.length > MAX_PATTERN_LENGTH) {
    throw seriesErrors.QUERY({ problem: `a pattern of more than ${MAX_PATTERN_LENGTH} characters` });
  }
  try {
    const pattern = RE2JS.compile(source, RE2JS.DOTALL);
    return (value) => pattern.matches(value);
  } catch (cause) {
    throw seriesErrors.QUERY({ problem: `${JSON.stringify(source)} is no pattern` }, { cause });
  }
}

export function areAllTrue(tests: readonly LabelTest[], labels: Labels): boolean {
  return tests.every(({ label, holds }) => holds(labels[label] ?? ''));
}
