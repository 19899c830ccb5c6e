/** What is asked, of the structure that its kind says. */
import { type KubeObject, type Schema, StatusError } from '@skerry/api';
import { validate } from '@skerry/api/walker';

/** Throws a StatusError. */
export function checked<T extends KubeObject>(object: KubeObject, schema: Schema): T {
  const errors = validate(object, schema);
  if (errors.length === 0) return object as T;
  const causes = errors.map(({ reason, message, path }) => ({ reason, message, field: path }));
  const sentences = errors.map(({ message }) => message).join(', ');
  throw new StatusError(422, 'Invalid', `${object.kind} is invalid: ${sentences}`, { kind: object.kind, causes });
}
