/** Names of series and the small numbers that stand for them in batches. A number is never given to another series. */

/** A number of this process; it means nothing anywhere else. */
export type SeriesId = number;

export interface Series {
  readonly namespace: string;
  /** The device, or what else has values, in its namespace. */
  readonly object: string;
  readonly property: string;
  /** Of the device model: `float32`, `bool`, `uint64`, `string[]` … */
  readonly type: string;
  /** UCUM code. */
  readonly unit?: string;
}

/** So many different series in the life of a process: a bound, far above what a node has. */
const MAX_SERIES = 4_000_000;

export class SeriesTable {
  readonly #byName = new Map<string, SeriesId>();
  readonly #series: Series[] = [];

  get size(): number {
    return this.#series.length;
  }

  /** The series' number; what is said of it anew (type, unit) replaces what was said before. */
  register(series: Series): SeriesId {
    const name = nameOf(series);
    const known = this.#byName.get(name);
    if (known !== undefined) {
      this.#series[known] = series;
      return known;
    }
    if (this.#series.length >= MAX_SERIES) throw new RangeError(`more than ${MAX_SERIES} series`);
    const id = this.#series.push(series) - 1;
    this.#byName.set(name, id);
    return id;
  }

  find(series: Pick<Series, 'namespace' | 'object' | 'property'>): SeriesId | undefined {
    return this.#byName.get(nameOf(series));
  }

  describe(id: SeriesId): Series | undefined {
    return this.#series[id];
  }
}

/** None of the parts holds a slash. */
function nameOf({ namespace, object, property }: Pick<Series, 'namespace' | 'object' | 'property'>): string {
  return `${namespace}/${object}/${property}`;
}
