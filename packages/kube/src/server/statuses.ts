/** Every failure the API server answers, with the texts that Kubernetes' clients know. */
import {
  type FieldError,
  formatGroupResource,
  type Gvk,
  type Status,
  type StatusCause,
  type StatusDetails,
  StatusError,
  type StatusReason,
} from '@skerry/api';

/** A resource as error texts name it. */
export interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

const STALE_OBJECT = 'the object has been modified; please apply your changes to the latest version and try again';

/** The longest list of causes in one answer; a body with more faults has the rest left out. */
const MAX_CAUSES = 100;

export function notFound(of: GroupResource, name: string): StatusError {
  return named(404, 'NotFound', of, name, 'not found');
}

export function alreadyExists(of: GroupResource, name: string): StatusError {
  return named(409, 'AlreadyExists', of, name, 'already exists');
}

export function conflict(of: GroupResource, name: string, why = STALE_OBJECT): StatusError {
  const message = `Operation cannot be fulfilled on ${formatGroupResource(of)} "${name}": ${why}`;
  return new StatusError(409, 'Conflict', message, details(of, name));
}

export function forbidden(of: GroupResource, name: string, why: string): StatusError {
  const subject = name === '' ? formatGroupResource(of) : `${formatGroupResource(of)} "${name}"`;
  return new StatusError(403, 'Forbidden', `${subject} is forbidden: ${why}`, details(of, name));
}

export function badRequest(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message);
}

/** 422 with a cause for each fault, as Kubernetes' `field.ErrorList` becomes one. */
export function invalid(gvk: Gvk, name: string, faults: readonly FieldError[]): StatusError {
  const kept = faults.slice(0, MAX_CAUSES);
  const texts = kept.map((fault) => fault.message);
  const summary = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  const subject = gvk.group === '' ? gvk.kind : `${gvk.kind}.${gvk.group}`;
  return new StatusError(422, 'Invalid', `${subject} "${name}" is invalid: ${summary}`, {
    name,
    ...(gvk.group === '' ? {} : { group: gvk.group }),
    kind: gvk.kind,
    causes: kept.map(toCause),
  });
}

/** The verb exists, but not for this kind. */
export function methodNotSupported(of: GroupResource, action: string): StatusError {
  const message = `${action} is not supported on resources of kind "${formatGroupResource(of)}"`;
  return new StatusError(405, 'MethodNotAllowed', message, details(of, ''));
}

/** The route exists, but not with this method. */
export function methodNotAllowed(): StatusError {
  return new StatusError(
    405,
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
    {},
  );
}

export function noSuchRoute(): StatusError {
  return new StatusError(404, 'NotFound', 'the server could not find the requested resource', {});
}

export function notAcceptable(offered: readonly string[]): StatusError {
  const message = `only the following media types are accepted: ${offered.join(', ')}`;
  return new StatusError(406, 'NotAcceptable', message);
}

export function unsupportedMediaType(accepted: readonly string[]): StatusError {
  const message = `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`;
  return new StatusError(415, 'UnsupportedMediaType', message);
}

export function tooLarge(message = 'the request body is larger than the server allows'): StatusError {
  return new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: ${message}`);
}

export function unauthorized(): StatusError {
  return new StatusError(401, 'Unauthorized', 'Unauthorized');
}

/** The revision or the continue token is older than what the store still holds. */
export function expired(message: string): StatusError {
  return new StatusError(410, 'Expired', message);
}

/** The client has seen a newer state than this server. */
export function revisionTooLarge(wanted: number, current: number): StatusError {
  return new StatusError(504, 'Timeout', `Too large resource version: ${wanted}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
}

export function tooManyRequests(message: string, retryAfterSeconds: number): StatusError {
  return new StatusError(429, 'TooManyRequests', message, { retryAfterSeconds });
}

export function unavailable(message: string): StatusError {
  return new StatusError(503, 'ServiceUnavailable', message);
}

/** The store could not take the write. Clients may send it again. */
export function notStored(cause: unknown): StatusError {
  const message = 'the server cannot write to its store at present; the write was not stored';
  return new StatusError(503, 'ServiceUnavailable', message, { retryAfterSeconds: 1 }, { cause });
}

export function internalError(cause: unknown): StatusError {
  return new StatusError(500, 'InternalError', 'Internal error occurred', {}, { cause });
}

export function success(extra: { readonly details?: StatusDetails; readonly code?: number } = {}): Status {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', ...extra };
}

function named(code: number, reason: StatusReason, of: GroupResource, name: string, what: string): StatusError {
  return new StatusError(code, reason, `${formatGroupResource(of)} "${name}" ${what}`, details(of, name));
}

function details(of: GroupResource, name: string): StatusDetails {
  return {
    ...(name === '' ? {} : { name }),
    ...(of.group === '' ? {} : { group: of.group }),
    kind: of.resource,
  };
}

function toCause({ reason, path, message }: FieldError): StatusCause {
  const prefix = `${path}: `;
  return { reason, message: message.startsWith(prefix) ? message.slice(prefix.length) : message, field: path };
}
