/** How the API server refuses a patch: 400 for one it cannot read, 422 for one that does not fit the object. */
import { StatusError } from '../status.ts';

export function badPatch(text: string): StatusError {
  return new StatusError(400, 'BadRequest', text);
}

/** The sentence is the API server's; the cause says what is really wrong, and kubectl prints it. */
export function unfitPatch(text: string): StatusError {
  return new StatusError(422, 'Invalid', 'the server rejected our request due to an error in our request', {
    causes: [{ message: text, field: 'patch' }],
  });
}
