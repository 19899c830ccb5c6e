/** What a matcher accepts. Patterns are RE2's, as Prometheus has them: linear in time, whatever they and the values are. */
import { RE2JS } from 're2js';
import type { LabelMatcher } from './ast.ts';

/** Throws for a pattern that is none. */
export function testOf({ op, value }: LabelMatcher): (text: string) => boolean {
  if (op === '=') return (text) => text === value;
  if (op === '!=') return (text) => text !== value;
  const pattern = RE2JS.compile(value, RE2JS.DOTALL);
  return op === '=~' ? (text) => pattern.matches(text) : (text) => !pattern.matches(text);
}
