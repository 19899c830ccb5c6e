/** Parameters as Prometheus' HTTP API has them. */
import { type LabelMatcher, PromQlError } from '../promql/ast.ts';
import { parsePromQl } from '../promql/parse.ts';

/** Of a `match[]`. */
export function matchersOf(text: string): readonly LabelMatcher[] {
  const expr = parsePromQl(text);
  if (expr.kind === 'vector') return expr.matchers;
  throw new PromQlError(`match[] takes selectors, and "${text}" is none`);
}

/** Seconds since 1970, or RFC 3339; as milliseconds. */
export function timeOf(parameters: URLSearchParams, name: string): number | undefined {
  const text = parameters.get(name);
  if (text === null || text === '') return undefined;
  const time = /^-?\d+(\.\d*)?([eE][+-]?\d+)?$/.test(text) ? Math.round(Number(text) * 1000) : Date.parse(text);
  if (Number.isNaN(time))
    throw new PromQlError(`${name} must be seconds since 1970, or a time such as 2026-01-01T00:00:00Z`);
  return time;
}
