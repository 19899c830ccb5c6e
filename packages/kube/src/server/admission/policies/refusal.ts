/** How a policy refuses a request: the words of Forbidden, with a reason and a code of its own. */
import type { StatusError, StatusReason } from '@skerry/api';
import { groupResource } from '../../engine.ts';
import { forbidden } from '../../statuses.ts';
import type { Review } from '../review/contract.ts';

const CODES: Readonly<Partial<Record<StatusReason, number>>> = {
  Forbidden: 403,
  Unauthorized: 401,
  RequestEntityTooLarge: 413,
  Invalid: 422,
};

export function refusal({ call, name }: Review, message: string, reason: string): StatusError {
  const error = forbidden(groupResource(call.kind), name, message);
  const known = (Object.hasOwn(CODES, reason) ? reason : 'Invalid') as StatusReason;
  const details = { ...error.status.details, causes: [{ message }] };
  return Object.assign(error, { status: { ...error.status, reason: known, code: CODES[known], details } });
}
