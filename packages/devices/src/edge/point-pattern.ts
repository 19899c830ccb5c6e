/** The pattern of a point, as its driver needs it. */
import { compilePattern, type Pattern, PatternError } from '../values/pattern.ts';
import { DriverError } from './driver-error.ts';

/** Throws `Misconfigured`: admission refuses such a pattern, but what was admitted before is still there. */
export function pointPattern(text: string, property: string): Pattern {
  try {
    return compilePattern(text);
  } catch (cause) {
    if (!(cause instanceof PatternError)) throw cause;
    throw new DriverError('Misconfigured', `the expression of ${property} ${cause.message}`, { cause });
  }
}
