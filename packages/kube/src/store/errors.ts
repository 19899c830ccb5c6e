/** What can go wrong with the store's file. Failures of single requests are StatusErrors. */
import { defineErrors } from '@skerry/base';

export const storeErrors = defineErrors('STORE', {
  LOCKED: { text: 'open of {file}: another process has it open (pid {holder})', retry: 'backoff' },
  FORMAT: { text: 'open of {file}: format {found} is not {expected}', retry: 'never' },
  DAMAGED: { text: '{file} is damaged', retry: 'never', isWhole: true },
  OPEN: { text: 'open of {file} failed', retry: 'never' },
  COMMIT: { text: 'commit of {writes} writes failed', retry: 'backoff' },
  CLOSED: { text: 'the store is closed', retry: 'never' },
});
