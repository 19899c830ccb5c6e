/** What can go wrong with the store of time series. */
import { defineErrors } from '@skerry/base';

export const seriesErrors = defineErrors('SERIES', {
  CLOSED: { text: 'the store of time series is closed', retry: 'never' },
  LOCKED: { text: 'open of {directory}: another process has it open', retry: 'backoff' },
  OPEN: { text: 'open of {directory} failed', retry: 'never' },
  FORMAT: { text: 'open of {file}: format {found} is not {expected}', retry: 'never' },
  BEHIND: { text: 'append of {rows} rows: the disk is behind, wait for a sync', retry: 'now' },
  DISK: { text: 'the store of time series takes nothing: {what} cannot be written', retry: 'backoff' },
  LIMIT: { text: 'more than {limit} {what}', retry: 'never' },
  LABELS: { text: 'a series with {problem}', retry: 'never', isWhole: true },
  QUERY: { text: 'query: {problem}', retry: 'never', isWhole: true },
});
