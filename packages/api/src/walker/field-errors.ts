/** The sentences of Kubernetes' field errors, in one place. */
import type { FieldError } from '../schema.ts';

type Reason = FieldError['reason'];

const TITLES: Readonly<Record<Reason, string>> = {
  FieldValueInvalid: 'Invalid value',
  FieldValueRequired: 'Required value',
  FieldValueNotSupported: 'Unsupported value',
  FieldValueForbidden: 'Forbidden',
  FieldValueDuplicate: 'Duplicate value',
  FieldValueNotFound: 'Not found',
  FieldValueTooLong: 'Too long',
  FieldValueTooMany: 'Too many',
  FieldValueTypeInvalid: 'Invalid value',
};

/** Values longer than this are cut in a message. */
const MAX_PRINTED = 1024;

export function invalid(path: string, value: unknown, detail: string): FieldError {
  return withValue('FieldValueInvalid', path, value, detail);
}

/** `value` is what was found, in words: the JSON type, as `"string"`. */
export function typeInvalid(path: string, value: unknown, detail: string): FieldError {
  return withValue('FieldValueTypeInvalid', path, value, detail);
}

export function duplicate(path: string, value: unknown, detail = ''): FieldError {
  return withValue('FieldValueDuplicate', path, value, detail);
}

/** A reference to something that is not there. */
export function notFound(path: string, value: unknown): FieldError {
  return withValue('FieldValueNotFound', path, value, '');
}

export function required(path: string, detail = ''): FieldError {
  return plain('FieldValueRequired', path, detail);
}

export function forbidden(path: string, detail: string): FieldError {
  return plain('FieldValueForbidden', path, detail);
}

export function tooLong(path: string, limit: number): FieldError {
  return plain('FieldValueTooLong', path, `may not be more than ${limit} bytes`);
}

export function tooMany(path: string, found: number, limit: number): FieldError {
  return withValue('FieldValueTooMany', path, found, `must have at most ${limit} items`);
}

export function notSupported(path: string, value: unknown, supported: readonly unknown[]): FieldError {
  const values = supported.map((each) => JSON.stringify(each)).join(', ');
  return withValue('FieldValueNotSupported', path, value, values === '' ? '' : `supported values: ${values}`);
}

function withValue(reason: Reason, path: string, value: unknown, detail: string): FieldError {
  return plain(reason, path, detail === '' ? printed(value) : `${printed(value)}: ${detail}`);
}

function plain(reason: Reason, path: string, detail: string): FieldError {
  const body = detail === '' ? TITLES[reason] : `${TITLES[reason]}: ${detail}`;
  return { reason, path, message: `${path === '' ? '<nil>' : path}: ${body}` };
}

function printed(value: unknown): string {
  const text = JSON.stringify(value) ?? 'null';
  return text.length > MAX_PRINTED ? `${text.slice(0, MAX_PRINTED)}…` : text;
}
