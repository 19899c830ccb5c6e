/** `matches`, `find` and `findAll` in the dialect of Go, in time linear in the text. */
import { RE2JS } from 're2js';
import type { Meter } from '../meter.ts';
import { ownName } from '../syntax-tree.ts';
import { CelFailure, type Functions } from './functions.ts';

const MAX_PATTERN_LENGTH = 4096;
const MAX_COMPILED = 256;
/** A character of the text costs so much for each step of the pattern. */
const STEP_COST = 0.025;

export function regexFunctions(meter: Meter): Functions {
  const compiled = new Map<string, RE2JS>();
  const patternOf = (source: string): RE2JS => {
    const known = compiled.get(source);
    if (known !== undefined) return known;
    if (compiled.size >= MAX_COMPILED) compiled.clear();
    const made = compile(source);
    compiled.set(source, made);
    return made;
  };
  // Counted repetitions unfold: a short pattern may be a large program.
  const pay = (length: number, source: string, pattern: RE2JS) =>
    meter.spend((length + 1) * Math.max(source.length, pattern.programSize()) * STEP_COST);
  const matches = (text: string, source: string) => {
    const pattern = patternOf(source);
    pay(text.length, source, pattern);
    return pattern.matcher(text).find();
  };
  const findAll = (text: string, source: string, limit = -1n) => {
    const matcher = patternOf(source).matcher(text);
    const found: string[] = [];
    let at = 0;
    while (limit < 0n || found.length < limit) {
      // Each search may look to the end of the text before it comes back to what stands at its beginning.
      pay(text.length - at, source, patternOf(source));
      if (!matcher.find()) break;
      found.push(matcher.group() ?? '');
      at = matcher.end();
    }
    return found;
  };
  return {
    [`${ownName('matches')}(string, string): bool`]: matches,
    [`string.${ownName('matches')}(string): bool`]: matches,
    'string.find(string): string': (text: string, source: string) => findAll(text, source, 1n)[0] ?? '',
    'string.findAll(string): list<string>': (text: string, source: string) => findAll(text, source),
    'string.findAll(string, int): list<string>': findAll,
  };
}

function compile(source: string): RE2JS {
  if (source.length > MAX_PATTERN_LENGTH) throw new CelFailure('regular expression is too long');
  try {
    return RE2JS.compile(source);
  } catch (cause) {
    throw new CelFailure(`error parsing regexp: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
