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
  const paid = (text: string, source: string): RE2JS => {
    const pattern = patternOf(source);
    // Counted repetitions unfold: a short pattern may be a large program.
    meter.spend((text.length + 1) * Math.max(source.length, pattern.programSize()) * STEP_COST);
    return pattern;
  };
  const matches = (text: string, source: string) => paid(text, source).matcher(text).find();
  const findAll = (text: string, source: string, limit = -1n) => allOf(paid(text, source), text, Number(limit));
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

function allOf(pattern: RE2JS, text: string, limit: number): string[] {
  const matcher = pattern.matcher(text);
  const found: string[] = [];
  while ((limit < 0 || found.length < limit) && matcher.find()) found.push(matcher.group() ?? '');
  return found;
}
