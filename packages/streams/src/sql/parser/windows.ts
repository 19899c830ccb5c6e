/** Windows, as they stand in GROUP BY. */
import type { Expression, TimeUnit, Window, WindowType } from '../ast.ts';
import { nearest } from '../nearest.ts';
import { parseExpression, parseFilter, parseOver } from './expressions.ts';
import type { TokenReader } from './token-reader.ts';

interface WindowForm {
  readonly type: WindowType;
  /** How to write it. */
  readonly usage: string;
  readonly hasUnit: boolean;
  /** How many numbers it takes, at least and at most. */
  readonly numbers: readonly [number, number];
}

const FORMS: Readonly<Record<string, WindowForm>> = {
  tumblingwindow: { type: 'tumbling', usage: 'TUMBLINGWINDOW(ss, length)', hasUnit: true, numbers: [1, 1] },
  hoppingwindow: { type: 'hopping', usage: 'HOPPINGWINDOW(ss, length, interval)', hasUnit: true, numbers: [2, 2] },
  slidingwindow: { type: 'sliding', usage: 'SLIDINGWINDOW(ss, length[, delay])', hasUnit: true, numbers: [1, 2] },
  sessionwindow: { type: 'session', usage: 'SESSIONWINDOW(ss, maximum, timeout)', hasUnit: true, numbers: [2, 2] },
  countwindow: { type: 'count', usage: 'COUNTWINDOW(length[, interval])', hasUnit: false, numbers: [1, 2] },
  statewindow: { type: 'state', usage: 'STATEWINDOW(begin, emit)', hasUnit: false, numbers: [0, 0] },
};

const UNITS: readonly TimeUnit[] = ['dd', 'hh', 'mi', 'ss', 'ms'];

const OTHER_UNITS: Readonly<Record<string, TimeUnit>> = {
  d: 'dd',
  day: 'dd',
  days: 'dd',
  h: 'hh',
  hour: 'hh',
  hours: 'hh',
  m: 'mi',
  mm: 'mi',
  min: 'mi',
  minute: 'mi',
  minutes: 'mi',
  s: 'ss',
  sec: 'ss',
  second: 'ss',
  seconds: 'ss',
  millisecond: 'ms',
  milliseconds: 'ms',
};

export function isWindow(reader: TokenReader): boolean {
  const { token } = reader;
  return token.kind === 'word' && reader.isSymbol('(', 1) && Object.hasOwn(FORMS, token.text.toLowerCase());
}

/** What to write when a call in GROUP BY is no function but nearly a window. */
export function nearestWindow(name: string): string | undefined {
  const form = FORMS[nearest(name, Object.keys(FORMS)) ?? ''];
  return form?.usage;
}

export function parseWindow(reader: TokenReader): Window {
  const { start, text } = reader.next();
  const form = FORMS[text.toLowerCase()];
  if (form === undefined) throw reader.fail(`${text} is no window`);
  reader.expectSymbol('(', `after ${text}`);
  const unit = form.hasUnit ? parseUnit(reader, form) : undefined;
  const conditions = form.type === 'state' ? parseConditions(reader, form) : [];
  const numbers = form.type === 'state' ? [] : parseNumbers(reader, form);
  reader.expectSymbol(')', `after the arguments of ${text}: ${form.usage}`);
  const filter = parseFilter(reader);
  const over = parseOver(reader);
  return {
    type: form.type,
    ...(unit === undefined ? {} : { unit }),
    numbers,
    conditions,
    ...(filter === undefined ? {} : { filter }),
    ...(over === undefined ? {} : { over }),
    span: reader.spanFrom(start),
  };
}

function parseUnit(reader: TokenReader, form: WindowForm): TimeUnit {
  const { token } = reader;
  const word = token.text.toLowerCase();
  const unit = UNITS.find((one) => one === word);
  if (token.kind !== 'word' || unit === undefined) {
    const meant = token.kind === 'word' || token.kind === 'string' ? OTHER_UNITS[word] : undefined;
    const fix = meant === undefined ? `write ${form.usage}` : `write ${meant}`;
    throw reader.expected('a unit of time: dd, hh, mi, ss or ms', fix);
  }
  reader.next();
  reader.expectSymbol(',', `after the unit: ${form.usage}`);
  return unit;
}

function parseNumbers(reader: TokenReader, { usage, numbers: [least, most] }: WindowForm): number[] {
  const numbers = [reader.expectInteger(`a number: ${usage}`)];
  while (numbers.length < most && (numbers.length < least || reader.isSymbol(','))) {
    reader.expectSymbol(',', `and another number: ${usage}`);
    numbers.push(reader.expectInteger(`a number: ${usage}`));
  }
  return numbers;
}

function parseConditions(reader: TokenReader, { usage }: WindowForm): Expression[] {
  const begin = parseExpression(reader);
  reader.expectSymbol(',', `between the two conditions: ${usage}`);
  return [begin, parseExpression(reader)];
}
