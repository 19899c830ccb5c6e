/** The Status errors of the store, in the words of Kubernetes. */
import { formatGroupResource, type StatusDetails, StatusError } from '@skerry/api';
import type { Revision, StoreKey } from './contract.ts';
import { parseKey } from './key.ts';

export function conflict(key: StoreKey): StatusError {
  const { subject, details } = describe(key);
  const advice = 'the object has been modified; please apply your changes to the latest version and try again';
  return new StatusError(409, 'Conflict', `Operation cannot be fulfilled on ${subject}: ${advice}`, details);
}

export function alreadyExists(key: StoreKey): StatusError {
  const { subject, details } = describe(key);
  return new StatusError(409, 'AlreadyExists', `${subject} already exists`, details);
}

export function notFound(key: StoreKey): StatusError {
  const { subject, details } = describe(key);
  return new StatusError(404, 'NotFound', `${subject} not found`, details);
}

export function expired(asked: Revision, compacted: Revision): StatusError {
  return new StatusError(410, 'Expired', `too old resource version: ${asked} (${compacted})`);
}

export function tooNew(asked: Revision, current: Revision): StatusError {
  return new StatusError(504, 'Timeout', `Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
}

function describe(key: StoreKey): { readonly subject: string; readonly details: StatusDetails } {
  const { group, resource, name } = parseKey(key);
  return {
    subject: `${formatGroupResource({ group, resource })} "${name}"`,
    details: { name, ...(group === '' ? {} : { group }), kind: resource },
  };
}
