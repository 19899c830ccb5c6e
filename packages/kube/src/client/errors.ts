import { defineErrors } from '@skerry/base';

export const errors = defineErrors('CLIENT', {
  LINE_TOO_LONG: { text: 'a watch event from {path} exceeds {limit} bytes', retry: 'never' },
  RESPONSE_TOO_LARGE: { text: 'the response to {method} {path} exceeds {limit} bytes', retry: 'never' },
  BAD_RESPONSE: { text: 'the response to {method} {path} is not JSON', retry: 'backoff' },
  TIMED_OUT: { text: '{method} {path} was not answered within {limit} ms', retry: 'backoff' },
  UNREACHABLE: { text: '{method} {path} did not reach {server}', retry: 'backoff' },
  BROKEN_OFF: { text: 'the response to {method} {path} broke off', retry: 'backoff' },
  KUBECONFIG_UNREADABLE: { text: 'reading kubeconfig {file}', retry: 'never' },
  KUBECONFIG_INVALID: { text: 'kubeconfig {file}: {problem}', retry: 'never' },
});
