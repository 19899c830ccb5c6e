/** One rule of a schema, ready to be evaluated, or what keeps it from being so. */
import type { FieldError, Schema } from '../../schema.ts';
import { invalid, notSupported, required } from '../../walker/field-errors.ts';
import type { Cel, Program, Scope } from '../cel.ts';
import { schemaTypes } from '../schema-types.ts';
import { parseFieldPath } from './field-path.ts';

export interface Rule {
  readonly text: string;
  readonly program: Program;
  readonly message: string;
  readonly messageProgram?: Program;
  readonly reason: Reason;
  /** Where the fault is shown, below the value that the rule is about. */
  readonly fieldPath: readonly string[];
  /** Compares with what was before. */
  readonly isTransition: boolean;
  readonly isOldOptional: boolean;
}

const REASONS = ['FieldValueInvalid', 'FieldValueForbidden', 'FieldValueRequired', 'FieldValueDuplicate'] as const;
export type Reason = (typeof REASONS)[number];

type Written = Readonly<Record<string, unknown>>;

export interface Compiled {
  readonly rules: readonly Rule[];
  readonly faults: readonly FieldError[];
}

/** The rules of one schema, those of its parts aside. */
export function compileRules(cel: Cel, schema: Schema, path: string): Compiled {
  const faults: FieldError[] = [];
  const rules: Rule[] = [];
  const scopes = scopesOf(cel, schema);
  for (const [index, written] of (schema.validations ?? []).entries()) {
    const at = `${path}[${index}]`;
    const found = [...faultsOf(written, schema, at)];
    const rule = found.length > 0 ? undefined : compileRule(written, scopes, at, found);
    faults.push(...found);
    if (rule !== undefined) rules.push(rule);
  }
  return { rules, faults };
}

interface Scopes {
  readonly plain: Scope;
  /** `oldSelf` may be absent. */
  readonly optional: Scope;
}

function scopesOf(cel: Cel, schema: Schema): Scopes {
  const { type, types } = schemaTypes(schema);
  return {
    plain: cel.scope({ variables: { self: type, oldSelf: type }, types }),
    optional: cel.scope({ variables: { self: type, oldSelf: `optional<${type}>` }, types }),
  };
}

function compileRule(written: Written, scopes: Scopes, at: string, faults: FieldError[]): Rule | undefined {
  const text = textOf(written, 'rule');
  const isOldOptional = written['optionalOldSelf'] === true;
  const scope = isOldOptional ? scopes.optional : scopes.plain;
  const compiled = scope.compile(text, ['bool']);
  if (compiled.type === 'error') {
    faults.push(invalid(`${at}.rule`, written, wordsOf(compiled.message)));
    return undefined;
  }
  const expression = textOf(written, 'messageExpression');
  const message = expression === '' ? undefined : scope.compile(expression, ['string']);
  if (message?.type === 'error') {
    faults.push(invalid(`${at}.messageExpression`, written, `messageExpression ${wordsOf(message.message)}`));
    return undefined;
  }
  const isTransition = compiled.program.reads.has('oldSelf');
  if (isOldOptional && !isTransition) {
    faults.push(invalid(`${at}.optionalOldSelf`, true, 'may not be set if oldSelf is not used in rule'));
    return undefined;
  }
  return {
    text: text.trim(),
    program: compiled.program,
    message: textOf(written, 'message').trim() || `failed rule: ${text.trim()}`,
    ...(message === undefined ? {} : { messageProgram: message.program }),
    reason: (written['reason'] as Reason | undefined) ?? 'FieldValueInvalid',
    fieldPath: parseFieldPath(textOf(written, 'fieldPath')) ?? [],
    isTransition,
    isOldOptional,
  };
}

function wordsOf(message: string): string {
  return message.startsWith('must evaluate')
    ? `cel expression ${message}`.replace('to bool', 'to a bool')
    : `compilation failed: ${message}`;
}

function* faultsOf(written: Written, schema: Schema, at: string): Iterable<FieldError> {
  const [rule, message] = [textOf(written, 'rule'), textOf(written, 'message')];
  if (rule.trim() === '') yield required(`${at}.rule`, 'rule is not specified');
  if (written['message'] !== undefined && message !== '' && message.trim() === '')
    yield invalid(`${at}.message`, message, 'message must be non-empty if specified');
  if (/[\n\r]/.test(message)) yield invalid(`${at}.message`, message, 'message must not contain line breaks');
  if (/[\n\r]/.test(rule.trim()) && message === '')
    yield required(`${at}.message`, 'message must be specified if rule contains line breaks');
  const { reason, fieldPath } = written;
  if (reason !== undefined && !REASONS.includes(reason as Reason)) yield notSupported(`${at}.reason`, reason, REASONS);
  if (fieldPath !== undefined && fieldPath !== '') yield* faultsOfFieldPath(textOf(written, 'fieldPath'), schema, at);
}

function* faultsOfFieldPath(fieldPath: string, schema: Schema, at: string): Iterable<FieldError> {
  const steps = parseFieldPath(fieldPath);
  const why = steps === undefined ? 'it is no path of fields' : 'does not refer to a valid field';
  if (steps === undefined || !leadsSomewhere(steps, schema))
    yield invalid(`${at}.fieldPath`, fieldPath, `fieldPath must be a valid path: ${why}`);
}

function leadsSomewhere(steps: readonly string[], schema: Schema): boolean {
  let at: Schema | undefined = schema;
  for (const step of steps) {
    const properties: Schema['properties'] = at?.properties;
    at = properties !== undefined && Object.hasOwn(properties, step) ? properties[step] : at?.additionalProperties;
    if (at === undefined) return false;
  }
  return true;
}

function textOf(written: Written, name: string): string {
  const value = written[name];
  return typeof value === 'string' ? value : '';
}
