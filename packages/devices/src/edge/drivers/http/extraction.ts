/** What an answer or a post has for a point. Pure. */
import type { RawValue } from '../../../values/encoding.ts';
import { parseExactJson } from '../../../values/exact-json.ts';
import type { Pattern } from '../../../values/pattern.ts';
import type { Point } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';
import { fieldAt, timeOf } from '../../field-path.ts';
import { pointPattern } from '../../point-pattern.ts';

/** A text, parsed at most once however many points look into it. */
export class Body {
  readonly text: string;
  readonly #what: string;
  #json: { readonly value: unknown } | undefined;

  constructor(text: string, what: string) {
    this.text = text;
    this.#what = what;
  }

  /** Throws `Malformed`. */
  get json(): unknown {
    try {
      this.#json ??= { value: parseExactJson(this.text) };
      return this.#json.value;
    } catch (cause) {
      throw new DriverError('Malformed', `${this.#what} is no JSON`, { cause });
    }
  }
}

export interface Extracted {
  readonly value: RawValue;
  readonly time: number | undefined;
}

/** Throws a DriverError: `NotFound` when there is nothing for the point in it. */
export type Extract = (body: Body) => Extracted;

export function extraction({ address, property }: Point): Extract {
  const { match, field, timePath } = address;
  const timeIn = (body: Body) => (timePath === undefined ? undefined : timeOf(fieldAt(body.json, String(timePath))));
  if (match === undefined) {
    const path = field === undefined ? undefined : String(field);
    return (body) => ({ value: valueAt(body.json, path), time: timeIn(body) });
  }
  // A pattern that is none fails its own point at each read, and no other.
  let pattern: Pattern | undefined;
  return (body) => {
    pattern ??= pointPattern(String(match), property);
    const value = pattern.valueIn(body.text);
    if (value === undefined) throw new DriverError('NotFound', `nothing matches the expression of ${property}`);
    return { value, time: timeIn(body) };
  };
}

function valueAt(json: unknown, path: string | undefined): RawValue {
  const value = fieldAt(json, path);
  if (value === undefined) throw new DriverError('NotFound', `there is no ${path ?? 'value'} in it`);
  if (value === null) throw new DriverError('NotFound', `${path ?? 'the value'} is null`);
  return value as RawValue;
}
