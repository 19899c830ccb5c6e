/** `semver()`: versions by the rules of semver.org. */
import type { Environment } from '@marcbachmann/cel-js';
import { addFunctions, CelFailure } from './functions.ts';

const SHAPE =
  /^(0|[1-9]\d{0,18})\.(0|[1-9]\d{0,18})\.(0|[1-9]\d{0,18})(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/;
const MAX_LENGTH = 256;

class CelSemver {
  readonly numbers: readonly bigint[];
  readonly prerelease: readonly string[];

  constructor(numbers: readonly bigint[], prerelease: readonly string[]) {
    this.numbers = numbers;
    this.prerelease = prerelease;
  }
}

export function addSemverFunctions(environment: Environment): void {
  const type = 'kubernetes.Semver';
  environment.registerType(type, CelSemver);
  environment.registerOperator(
    `${type} == ${type}`,
    (left: CelSemver, right: CelSemver) => compare(left, right) === 0n,
  );
  addFunctions(environment, {
    [`semver(string): ${type}`]: (text: string) => parse(text) ?? fail(text),
    [`semver(string, bool): ${type}`]: (text: string, isLoose: boolean) => parseAs(text, isLoose) ?? fail(text),
    'isSemver(string): bool': (text: string) => parse(text) !== undefined,
    'isSemver(string, bool): bool': (text: string, isLoose: boolean) => parseAs(text, isLoose) !== undefined,
    [`${type}.major(): int`]: ({ numbers }: CelSemver) => numbers[0],
    [`${type}.minor(): int`]: ({ numbers }: CelSemver) => numbers[1],
    [`${type}.patch(): int`]: ({ numbers }: CelSemver) => numbers[2],
    [`${type}.isGreaterThan(${type}): bool`]: (left: CelSemver, right: CelSemver) => compare(left, right) > 0n,
    [`${type}.isLessThan(${type}): bool`]: (left: CelSemver, right: CelSemver) => compare(left, right) < 0n,
    [`${type}.compareTo(${type}): int`]: compare,
  });
}

function parseAs(text: string, isLoose: boolean): CelSemver | undefined {
  return parse(isLoose ? normalized(text) : text);
}

function parse(text: string): CelSemver | undefined {
  const match = text.length > MAX_LENGTH ? null : SHAPE.exec(text);
  if (match === null) return undefined;
  const [, major = '', minor = '', patch = '', prerelease = ''] = match;
  const words = prerelease === '' ? [] : prerelease.split('.');
  if (words.some((word) => /^0\d+$/.test(word))) return undefined;
  return new CelSemver([major, minor, patch].map(BigInt), words);
}

/** A leading `v`, leading zeros and absent parts are forgiven. */
function normalized(text: string): string {
  const match = /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(.*)$/.exec(text.slice(0, MAX_LENGTH));
  if (match === null) return text;
  const [, major = '', minor = '0', patch = '0', rest = ''] = match;
  return `${[major, minor, patch].map((part) => part.replace(/^0+(?=\d)/, '')).join('.')}${rest}`;
}

function compare(left: CelSemver, right: CelSemver): bigint {
  for (const [index, number] of left.numbers.entries()) {
    const other = right.numbers[index] ?? 0n;
    if (number !== other) return number > other ? 1n : -1n;
  }
  return comparePrerelease(left.prerelease, right.prerelease);
}

/** A version without one comes after all that have one. */
function comparePrerelease(left: readonly string[], right: readonly string[]): bigint {
  if (left.length === 0 || right.length === 0) return BigInt(Number(left.length === 0) - Number(right.length === 0));
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const [a, b] = [left[index], right[index]];
    if (a === b) continue;
    if (a === undefined) return -1n;
    return b === undefined || compareWord(a, b) > 0 ? 1n : -1n;
  }
  return 0n;
}

/** Numbers come before words. */
function compareWord(a: string, b: string): number {
  const [isNumberA, isNumberB] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (isNumberA && isNumberB) return Number(BigInt(a) - BigInt(b));
  if (isNumberA !== isNumberB) return isNumberA ? -1 : 1;
  return a < b ? -1 : 1;
}

function fail(text: string): never {
  throw new CelFailure(`invalid semantic version: ${JSON.stringify(text)}`);
}
