/** What can go wrong between agent and supervisor. */
import { defineErrors } from '@skerry/base';

export const errors = defineErrors('SUPERVISOR', {
  IN_USE: { text: 'supervisor is driven by another agent: {agent}', retry: 'never' },
  ALREADY_RUNNING: { text: 'a supervisor with pid {pid} already serves {directory}', retry: 'never' },
  PROTOCOL: { text: 'supervisor speaks protocol {theirs}, this program {ours}', retry: 'never' },
  BAD_MESSAGE: { text: 'message to the supervisor is not understood: {what}', retry: 'never' },
  EXISTS: { text: 'process {id} already exists', retry: 'never' },
  NOT_FOUND: { text: 'no process {id}', retry: 'never' },
  NOT_RUNNING: { text: 'process {id} is not running', retry: 'never' },
  STILL_RUNNING: { text: 'process {id} is still running', retry: 'backoff' },
  BUSY: { text: '{count} processes are still running', retry: 'backoff' },
  START_FAILED: { text: 'start of {program} failed: {reason}', retry: 'backoff' },
  GONE: { text: 'connection to the supervisor is gone', retry: 'backoff' },
});
