/** What Kubernetes' strings have beyond those of the library; positions are counted in characters. */
import type { Meter } from '../meter.ts';
import { ownName } from '../syntax-tree.ts';
import { formatText } from './format-text.ts';
import { CelFailure, type Functions } from './functions.ts';

/** Characters of a result cost as much as those of a value. */
const CHARACTER_COST = 0.1;

export function stringFunctions(meter: Meter): Functions {
  // A short text may grow out of all proportion.
  const payFor = (length: number) => meter.spend(length * CHARACTER_COST);
  const replace = (text: string, from: string, to: string, count = -1n) => {
    payFor(text.length + (text.length / Math.max(1, from.length) + 1) * to.length);
    return replaceSome(text, from, to, count);
  };
  const join = (list: readonly string[], separator = '') => {
    payFor(list.length * separator.length);
    return list.join(separator);
  };
  return {
    ...plainFunctions,
    'string.replace(string, string): string': replace,
    'string.replace(string, string, int): string': replace,
    [`list<string>.${ownName('join')}(): string`]: join,
    [`list<string>.${ownName('join')}(string): string`]: join,
  };
}

const plainFunctions: Functions = {
  [`string.${ownName('indexOf')}(string): int`]: (text: string, part: string) => indexOf(text, part, 0),
  [`string.${ownName('indexOf')}(string, int): int`]: (text: string, part: string, from: bigint) =>
    indexOf(text, part, Number(from)),
  [`string.${ownName('lastIndexOf')}(string): int`]: (text: string, part: string) =>
    lastIndexOf(text, part, Number.POSITIVE_INFINITY),
  [`string.${ownName('lastIndexOf')}(string, int): int`]: (text: string, part: string, from: bigint) =>
    lastIndexOf(text, part, Number(from)),
  [`string.${ownName('substring')}(int): string`]: (text: string, from: bigint) =>
    substring(text, Number(from), Array.from(text).length),
  [`string.${ownName('substring')}(int, int): string`]: (text: string, from: bigint, to: bigint) =>
    substring(text, Number(from), Number(to)),
  'string.charAt(int): string': charAt,
  'string.reverse(): string': (text: string) => Array.from(text).reverse().join(''),
  'string.format(list): string': (text: string, values: readonly unknown[]) => formatText(text, values),
};

function charAt(text: string, at: bigint): string {
  const characters = Array.from(text);
  const index = Number(at);
  if (index < 0 || index > characters.length) throw new CelFailure(`index out of range: ${at}`);
  return characters[index] ?? '';
}

function indexOf(text: string, part: string, from: number): bigint {
  const characters = Array.from(text);
  checkRange(from, characters.length);
  const start = characters.slice(0, from).join('').length;
  const found = text.indexOf(part, start);
  return BigInt(found < 0 ? -1 : Array.from(text.slice(0, found)).length);
}

function lastIndexOf(text: string, part: string, from: number): bigint {
  const characters = Array.from(text);
  if (from !== Number.POSITIVE_INFINITY) checkRange(from, characters.length);
  const start = characters.slice(0, from).join('').length;
  const found = text.lastIndexOf(part, start);
  return BigInt(found < 0 ? -1 : Array.from(text.slice(0, found)).length);
}

function substring(text: string, from: number, to: number): string {
  const characters = Array.from(text);
  checkRange(from, characters.length);
  checkRange(to, characters.length);
  if (from > to) throw new CelFailure(`invalid substring range. start: ${from}, end: ${to}`);
  return characters.slice(from, to).join('');
}

function checkRange(index: number, length: number): void {
  if (index < 0 || index > length) throw new CelFailure(`index out of range: ${index}`);
}

function replaceSome(text: string, from: string, to: string, count: bigint): string {
  if (count < 0n) return text.replaceAll(from, () => to);
  let left = Number(count);
  return text.replaceAll(from, (found) => (left-- > 0 ? to : found));
}
