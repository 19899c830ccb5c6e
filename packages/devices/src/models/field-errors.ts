/** One thing wrong with an object, in the words of Kubernetes. */
import type { FieldError } from '@skerry/api';

export function invalid(path: string, value: unknown, why: string): FieldError {
  return { reason: 'FieldValueInvalid', path, message: `${path}: Invalid value: ${JSON.stringify(value)}: ${why}` };
}

export function notFound(path: string, value: unknown): FieldError {
  return { reason: 'FieldValueNotFound', path, message: `${path}: Not found: ${JSON.stringify(value)}` };
}

export function required(path: string, why: string): FieldError {
  return { reason: 'FieldValueRequired', path, message: `${path}: Required value: ${why}` };
}

export function forbidden(path: string, why: string): FieldError {
  return { reason: 'FieldValueForbidden', path, message: `${path}: Forbidden: ${why}` };
}
