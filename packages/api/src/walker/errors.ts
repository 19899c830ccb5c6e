/** A body that cannot be read is the client's mistake: 400, with the reason in the words Kubernetes uses. */
import { StatusError } from '../status.ts';

export function badRequest(message: string, options?: ErrorOptions): StatusError {
  return new StatusError(400, 'BadRequest', message, undefined, options);
}

/** Everything that strict decoding objects to, in one sentence; undefined when there is nothing. */
export function strictDecodingError(found: {
  readonly duplicates?: readonly string[];
  readonly unknown?: readonly string[];
}): string | undefined {
  const parts = strictDecodingIssues(found);
  return parts.length === 0 ? undefined : `strict decoding error: ${parts.join(', ')}`;
}

/** The same, one text each: what `fieldValidation=Warn` sends as warnings. */
export function strictDecodingIssues(found: {
  readonly duplicates?: readonly string[];
  readonly unknown?: readonly string[];
}): string[] {
  return [
    ...(found.duplicates ?? []).map((path) => `duplicate field "${path}"`),
    ...(found.unknown ?? []).map((path) => `unknown field "${path}"`),
  ];
}
