/** Functions on strings. Positions count characters as they are counted elsewhere on this platform: in UTF-16. */
import { RE2JS, RE2JSException } from 're2js';
import { ANY, BIGINT, BOOLEAN, STRING } from '../data-type.ts';
import { RowError } from '../sql-error.ts';
import type { Value } from '../value.ts';
import { isArray, isNull, toText } from '../values.ts';
import { any, integer, literal, nullable, number, optional, rest, string } from './parameters.ts';
import { ArgumentProblem, prepared, type ScalarFunction, scalar } from './specification.ts';

/** No expression makes a string longer than this. */
const MAX_STRING_LENGTH = 1_048_576;

function ofOne(name: string, summary: string, call: (text: string) => string): ScalarFunction {
  return scalar('string', name, [string('text')], STRING, summary, call);
}

const FORMAT = [number('x'), integer('digits'), optional(literal(string('locale')))] as const;
const PAD = [string('text'), integer('width')] as const;
const MATCH = [string('text'), string('pattern')] as const;
const REPLACE = [...MATCH, string('replacement')] as const;

export const TEXT: readonly ScalarFunction[] = [
  scalar(
    'string',
    'concat',
    [rest(nullable(any('value')))],
    ([first]) => (first?.kind === 'array' ? first : first?.kind === 'any' ? ANY : STRING),
    'All arguments as one string, or all arrays as one array; NULL counts as nothing.',
    concat,
  ),
  scalar('string', 'endswith', [string('text'), string('end')], BOOLEAN, 'Whether the text ends so.', (text, end) =>
    text.endsWith(end),
  ),
  scalar(
    'string',
    'format',
    FORMAT,
    STRING,
    'The number with so many decimals and with thousands grouped, as the locale has it; en_US without one.',
    (x, digits, locale) => numberFormat(digits, locale).format(x),
    {
      prepare: ([, digits, locale]) => {
        if (typeof digits !== 'number') return undefined;
        const format = numberFormat(digits, typeof locale === 'string' ? locale : undefined);
        return prepared(FORMAT, (x) => format.format(x));
      },
    },
  ),
  scalar(
    'string',
    'indexof',
    [string('text'), string('part')],
    BIGINT,
    'Where the part first stands, from 0; -1 when it does not.',
    (text, part) => text.indexOf(part),
  ),
  scalar('string', 'length', [string('text')], BIGINT, 'How many characters the text has.', (text) => text.length),
  ofOne('lower', 'The text in lower case.', (text) => text.toLowerCase()),
  scalar(
    'string',
    'lpad',
    PAD,
    STRING,
    'The text with so many blanks before it.',
    (text, width) => blanks(width, text) + text,
  ),
  ofOne('ltrim', 'The text without blank space at its beginning.', (text) => text.trimStart()),
  scalar('string', 'numbytes', [string('text')], BIGINT, 'How many bytes the text has in UTF-8.', (text) =>
    Buffer.byteLength(text),
  ),
  scalar(
    'string',
    'regexp_matches',
    MATCH,
    BOOLEAN,
    'Whether a part of the text matches the RE2 pattern.',
    (text, pattern) => compiled(pattern).matcher(text).find(),
    {
      prepare: withPattern((re) => prepared(MATCH, (text) => re.matcher(text).find())),
    },
  ),
  scalar(
    'string',
    'regexp_replace',
    REPLACE,
    STRING,
    'The text with all matches of the RE2 pattern replaced; $1 is the first group.',
    (text, pattern, replacement) => replaceAll(compiled(pattern), text, replacement),
    {
      prepare: withPattern((re) => prepared(REPLACE, (text, _, replacement) => replaceAll(re, text, replacement))),
    },
  ),
  scalar(
    'string',
    'regexp_substring',
    MATCH,
    STRING,
    'The first part of the text that matches the RE2 pattern; NULL when none does.',
    (text, pattern) => firstMatch(compiled(pattern), text),
    {
      prepare: withPattern((re) => prepared(MATCH, (text) => firstMatch(re, text))),
    },
  ),
  ofOne('reverse', 'The text from its end to its beginning.', (text) => Array.from(text).reverse().join('')),
  scalar(
    'string',
    'rpad',
    PAD,
    STRING,
    'The text with so many blanks after it.',
    (text, width) => text + blanks(width, text),
  ),
  ofOne('rtrim', 'The text without blank space at its end.', (text) => text.trimEnd()),
  scalar(
    'string',
    'split_value',
    [string('text'), string('separator'), integer('index')],
    STRING,
    'The text is split at each separator; the part with that index, from 0, or from the end below 0.',
    splitValue,
  ),
  scalar(
    'string',
    'startswith',
    [string('text'), string('start')],
    BOOLEAN,
    'Whether the text begins so.',
    (text, start) => text.startsWith(start),
  ),
  scalar(
    'string',
    'substring',
    [string('text'), integer('start'), optional(integer('length'))],
    STRING,
    'The text from that index on, from 0, up to that many characters.',
    substring,
  ),
  ofOne('trim', 'The text without blank space at both ends.', (text) => text.trim()),
  ofOne('upper', 'The text in upper case.', (text) => text.toUpperCase()),
];

function concat(values: readonly Value[]): Value {
  const present = values.filter((value) => !isNull(value)) as readonly NonNullable<Value>[];
  if (present.some(isArray)) return present.flatMap((value) => (isArray(value) ? value : [value]));
  return bounded(present.map(toText).join(''));
}

export function bounded(text: string): string {
  if (text.length > MAX_STRING_LENGTH) throw new RowError(`a string of ${text.length} characters is too long`);
  return text;
}

function blanks(width: number, text: string): string {
  if (width < 0) throw new RowError('a width cannot be negative');
  if (width + text.length > MAX_STRING_LENGTH) throw new RowError(`${width} blanks are too many`);
  return ' '.repeat(width);
}

const MAX_DECIMALS = 20;

function numberFormat(digits: number, locale = 'en_US'): Intl.NumberFormat {
  const decimals = Math.min(Math.max(digits, 0), MAX_DECIMALS);
  const options = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  try {
    return new Intl.NumberFormat(locale.replace('_', '-'), options);
  } catch {
    throw new ArgumentProblem(2, `${locale} is no locale`, 'write one such as "en_US"');
  }
}

function splitValue(text: string, separator: string, index: number): Value {
  const part = text.split(separator).at(index);
  if (part === undefined) throw new RowError(`split_value: there is no part ${index}`);
  return part;
}

function substring(text: string, start: number, length: number | undefined): string {
  if (start < 0 || (length !== undefined && length < 0)) throw new RowError('substring: an index cannot be negative');
  return text.slice(start, length === undefined ? undefined : start + length);
}

function compiled(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (cause) {
    if (cause instanceof RE2JSException) throw new RowError(`${pattern} is no regular expression`, { cause });
    throw cause;
  }
}

/** A literal pattern is compiled once, and a wrong one is found when the rule is planned. */
function withPattern(make: (re: RE2JS) => ReturnType<typeof prepared>): NonNullable<ScalarFunction['prepare']> {
  return ([, pattern]) => {
    if (typeof pattern !== 'string') return undefined;
    try {
      return make(compiled(pattern));
    } catch (cause) {
      const reason = cause instanceof RowError && cause.cause instanceof Error ? cause.cause.message : String(cause);
      throw new ArgumentProblem(1, `this is no regular expression: ${reason}`, 'patterns are those of RE2');
    }
  };
}

function replaceAll(re: RE2JS, text: string, replacement: string): string {
  return bounded(re.matcher(text).replaceAll(replacement));
}

function firstMatch(re: RE2JS, text: string): Value {
  const matcher = re.matcher(text);
  return matcher.find() ? (matcher.group() ?? undefined) : undefined;
}
