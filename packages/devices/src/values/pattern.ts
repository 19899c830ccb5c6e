/** Patterns on what devices send. They are RE2's: the time they take grows with the text, and no text makes it explode. Pure. */
import { RE2JS, RE2JSException } from 're2js';

export interface Pattern {
  test(text: string): boolean;
  /** The group named `value`, else the first group, else all that matches; undefined when nothing does. */
  valueIn(text: string): string | undefined;
}

/** The sentence says why the text is no pattern. */
export class PatternError extends Error {}

/** Steps of the compiled pattern: each character of a text costs no more than these. */
const MAX_STEPS = 1000;

/** Throws a PatternError. */
export function compilePattern(text: string): Pattern {
  const expression = compile(text);
  if (expression.programSize() > MAX_STEPS)
    throw new PatternError(`repeats too much: compiled it has more than ${MAX_STEPS} steps`);
  const named = expression.namedGroups()['value'];
  const first = expression.groupCount() > 0 ? 1 : 0;
  return {
    test: (given) => expression.test(given),
    valueIn: (given) => {
      const found = expression.matcher(given);
      if (!found.find()) return undefined;
      return found.group(named ?? first) ?? found.group(first) ?? found.group() ?? undefined;
    },
  };
}

/** Why it is none; undefined also for what is no text, which the schema refuses. */
export function patternProblem(text: unknown): string | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    compilePattern(text);
    return undefined;
  } catch (error) {
    if (error instanceof PatternError) return error.message;
    throw error;
  }
}

function compile(text: string): RE2JS {
  try {
    return RE2JS.compile(text);
  } catch (cause) {
    if (!(cause instanceof RE2JSException)) throw cause;
    const why = cause.message.replace('error parsing regexp: ', '');
    throw new PatternError(`is no regular expression as RE2 knows them: ${why}`, { cause });
  }
}
