/** What can go wrong between the agent and a container runtime. */
import { defineErrors } from '@skerry/base';

export const errors = defineErrors('CRI', {
  CALL_FAILED: { text: '{reason}', retry: 'backoff' },
  NOT_FOUND: { text: '{reason}', retry: 'never' },
  TIMED_OUT: { text: '{method} of the container runtime took longer than {ms} ms', retry: 'backoff' },
  NOT_REACHED: { text: 'container runtime at {socket} is not reached', retry: 'backoff' },
  ANSWER_TOO_LARGE: { text: 'answer of {method} exceeds {limit} bytes', retry: 'never' },
});
