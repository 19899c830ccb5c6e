/** Label selectors: the text of a query and the object of a spec become one list of requirements, compiled once into a predicate. */
import { isObject } from '../json.ts';
import { StatusError } from '../status.ts';
import { checkLabelValue, checkQualifiedName } from '../validation/names.ts';
import { lexSelector, type Token } from './lexer.ts';

export type LabelOperator = 'in' | 'notin' | '=' | '==' | '!=' | 'exists' | '!' | 'gt' | 'lt';

export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

export type Labels = Readonly<Record<string, string>>;

/** A compiled selector. */
export interface LabelSelector {
  readonly requirements: readonly LabelRequirement[];
  /** True when it selects everything. */
  readonly isEmpty: boolean;
  matches(labels: Labels | undefined): boolean;
}

/** The selector of a spec: `{matchLabels, matchExpressions}`. */
export interface LabelSelectorObject {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

/** More terms than any real selector has; the query string is bounded besides. */
const MAX_REQUIREMENTS = 1000;

export const everything: LabelSelector = { requirements: [], isEmpty: true, matches: () => true };
export const nothing: LabelSelector = { requirements: [], isEmpty: false, matches: () => false };

/** Parses `a=b,c in (d,e),!f`; throws 400 BadRequest with the API server's text. */
export function parseLabelSelector(text: string): LabelSelector {
  return compileRequirements(parseRequirements(text));
}

/** The selector of an object such as `spec.selector`; absent selects nothing, an empty one everything. */
export function selectorFromObject(selector: unknown): LabelSelector {
  if (!isObject(selector)) return nothing;
  const { matchLabels, matchExpressions } = selector;
  const requirements: LabelRequirement[] = [];
  if (isObject(matchLabels)) {
    for (const [key, value] of Object.entries(matchLabels)) {
      requirements.push(requirement(key, '=', [String(value)]));
    }
  }
  if (Array.isArray(matchExpressions)) requirements.push(...matchExpressions.filter(isObject).map(fromExpression));
  return compileRequirements(requirements);
}

/** The selector of a plain map, such as a Service's; an empty or absent one selects nothing. */
export function selectorFromMap(labels: unknown): LabelSelector {
  if (!isObject(labels) || Object.keys(labels).length === 0) return nothing;
  return selectorFromObject({ matchLabels: labels });
}

export function compileRequirements(requirements: readonly LabelRequirement[]): LabelSelector {
  if (requirements.length === 0) return everything;
  const predicates = requirements.map(compileRequirement);
  const [first] = predicates;
  const matches =
    predicates.length === 1 && first !== undefined
      ? (labels: Labels | undefined) => first(labels ?? {})
      : (labels: Labels | undefined) => predicates.every((predicate) => predicate(labels ?? {}));
  return { requirements, isEmpty: false, matches };
}

/** The text that parses back to the selector: what `status.selector` of a scale holds. */
export function formatLabelSelector(selector: LabelSelector): string {
  return [...selector.requirements]
    .sort((left, right) => (left.key < right.key ? -1 : left.key > right.key ? 1 : 0))
    .map(formatRequirement)
    .join(',');
}

function parseRequirements(text: string): LabelRequirement[] {
  const tokens = lexSelector(text);
  const requirements: LabelRequirement[] = [];
  let next = 0;
  const peek = (): Token => tokens[next] ?? { kind: 'end', text: '' };
  const take = (): Token => {
    const token = peek();
    next++;
    return token;
  };
  while (peek().kind !== 'end') {
    const head = peek();
    if (head.kind !== 'word' && head.text !== '!') {
      throw badSelector(`found '${head.text}', expected: !, identifier, or 'end of string'`);
    }
    if (requirements.length === MAX_REQUIREMENTS) throw badSelector(`more than ${MAX_REQUIREMENTS} requirements`);
    requirements.push(parseRequirement(peek, take));
    const separator = take();
    if (separator.kind === 'end') break;
    if (separator.text !== ',') throw badSelector(`found '${separator.text}', expected: ',' or 'end of string'`);
    const following = peek();
    if (following.kind !== 'word' && following.text !== '!') {
      throw badSelector(`found '${following.text}', expected: identifier after ','`);
    }
  }
  return requirements;
}

function parseRequirement(peek: () => Token, take: () => Token): LabelRequirement {
  const negated = peek().text === '!' && peek().kind === 'symbol';
  if (negated) take();
  const key = take();
  if (key.kind !== 'word') throw unparsable(`found '${key.text}', expected: identifier`);
  if (negated) return requirement(key.text, '!', []);
  if (peek().kind === 'end' || peek().text === ',') return requirement(key.text, 'exists', []);
  const operator = toOperator(take());
  if (operator === 'in' || operator === 'notin') return requirement(key.text, operator, parseValues(peek, take));
  return requirement(key.text, operator, [parseExactValue(peek, take)]);
}

function toOperator(token: Token): LabelOperator {
  switch (token.text) {
    case 'in':
    case 'notin':
    case '=':
    case '==':
    case '!=':
      return token.text;
    case '>':
      return 'gt';
    case '<':
      return 'lt';
    default:
      throw unparsable(`found '${token.text}', expected: in, notin, =, ==, !=, gt, lt`);
  }
}

function parseValues(peek: () => Token, take: () => Token): string[] {
  const open = take();
  if (open.text !== '(') throw unparsable(`found '${open.text}' expected: '('`);
  const values: string[] = [];
  let expectsValue = true;
  for (;;) {
    const token = take();
    if (token.text === ')' && token.kind === 'symbol') {
      if (expectsValue && values.length > 0) values.push('');
      return [...new Set(values)].sort();
    }
    if (token.text === ',' && token.kind === 'symbol') {
      if (expectsValue) values.push('');
      expectsValue = true;
    } else if (token.kind === 'word' && expectsValue) {
      values.push(token.text);
      expectsValue = false;
    } else {
      throw unparsable(`found '${token.text}', expected: ',', ')' or identifier`);
    }
    if (peek().kind === 'end') throw unparsable("found '', expected: ',' or ')'");
  }
}

function parseExactValue(peek: () => Token, take: () => Token): string {
  if (peek().kind === 'end' || peek().text === ',') return '';
  const token = take();
  if (token.kind !== 'word') throw unparsable(`found '${token.text}', expected: identifier`);
  return token.text;
}

function fromExpression(expression: Record<string, unknown>): LabelRequirement {
  const { key, operator, values } = expression;
  const list = Array.isArray(values) ? values.map(String) : [];
  switch (operator) {
    case 'In':
      return requirement(String(key), 'in', list);
    case 'NotIn':
      return requirement(String(key), 'notin', list);
    case 'Exists':
      return requirement(String(key), 'exists', list);
    case 'DoesNotExist':
      return requirement(String(key), '!', list);
    default:
      throw badSelector(`"${operator}" is not a valid label selector operator`);
  }
}

function requirement(key: string, operator: LabelOperator, values: readonly string[]): LabelRequirement {
  const keyProblems = checkQualifiedName(key);
  if (keyProblems.length > 0) throw unparsable(`<nil>: Invalid value: "${key}": ${keyProblems.join('; ')}`);
  if ((operator === 'in' || operator === 'notin') && values.length === 0) {
    throw unparsable("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty");
  }
  if ((operator === 'exists' || operator === '!') && values.length > 0) {
    throw unparsable('values: Invalid value: values set must be empty for exists and does not exist');
  }
  const isOrder = operator === 'gt' || operator === 'lt';
  values.forEach((value, index) => {
    if (isOrder && !/^[+-]?\d+$/.test(value)) {
      throw unparsable(
        `values[${index}]: Invalid value: "${value}": for 'Gt', 'Lt' operators, the value must be an integer`,
      );
    }
    const problems = checkLabelValue(value);
    if (problems.length > 0) {
      throw unparsable(`values[${index}][${key}]: Invalid value: "${value}": ${problems.join('; ')}`);
    }
  });
  return { key, operator, values };
}

function compileRequirement({ key, operator, values }: LabelRequirement): (labels: Labels) => boolean {
  const [value = ''] = values;
  const has = (labels: Labels) => Object.hasOwn(labels, key);
  switch (operator) {
    case '=':
    case '==':
      return (labels) => labels[key] === value && has(labels);
    case '!=':
      return (labels) => labels[key] !== value;
    case 'exists':
      return has;
    case '!':
      return (labels) => !has(labels);
    case 'in': {
      const set = new Set(values);
      return (labels) => has(labels) && set.has(labels[key] ?? '');
    }
    case 'notin': {
      const set = new Set(values);
      return (labels) => !has(labels) || !set.has(labels[key] ?? '');
    }
    case 'gt':
      return (labels) => has(labels) && integerOf(labels[key]) > BigInt(value);
    case 'lt':
      return (labels) => has(labels) && isInteger(labels[key]) && integerOf(labels[key]) < BigInt(value);
  }
}

const SMALLEST = -(2n ** 64n);

function isInteger(text: string | undefined): text is string {
  return text !== undefined && /^[+-]?\d+$/.test(text);
}

function integerOf(text: string | undefined): bigint {
  return isInteger(text) ? BigInt(text) : SMALLEST;
}

function formatRequirement({ key, operator, values }: LabelRequirement): string {
  switch (operator) {
    case 'exists':
      return key;
    case '!':
      return `!${key}`;
    case 'in':
    case 'notin':
      return `${key} ${operator} (${[...values].sort().join(',')})`;
    case 'gt':
      return `${key}>${values[0]}`;
    case 'lt':
      return `${key}<${values[0]}`;
    case '=':
    case '==':
    case '!=':
      return `${key}${operator}${values[0]}`;
  }
}

function badSelector(text: string): StatusError {
  return new StatusError(400, 'BadRequest', text);
}

function unparsable(text: string): StatusError {
  return badSelector(`unable to parse requirement: ${text}`);
}
