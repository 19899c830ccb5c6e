/** `--from` and `--to` of the commands that ask for a time. */
import { parseDuration } from '@skerry/base/flags';
import { cliErrors } from './context.ts';

export interface TimeFlags {
  readonly from: string;
  readonly to: string;
}

/** RFC 3339 both. */
export function timesOf({ from, to }: TimeFlags, now: number): { readonly start: string; readonly end: string } {
  const [start, end] = [timeOf('--from', from, now), timeOf('--to', to, now)];
  if (start > end) throw cliErrors.INVALID_ARGUMENT({ argument: '--from', problem: 'it is after --to' });
  return { start: new Date(start).toISOString(), end: new Date(end).toISOString() };
}

function timeOf(argument: string, text: string, now: number): number {
  const time = Date.parse(text);
  if (/^\d{4}-/.test(text) && !Number.isNaN(time)) return time;
  try {
    return now - parseDuration(text);
  } catch (cause) {
    const problem = `${text} is no time such as 2026-01-31T06:00:00Z, and no duration such as 2h`;
    throw cliErrors.INVALID_ARGUMENT({ argument, problem }, { cause });
  }
}
