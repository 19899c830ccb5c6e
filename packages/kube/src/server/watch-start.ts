/** Where a watch begins: the query of a watch, read once. */
import type { FieldError } from '@skerry/api';
import type { Revision } from '../store/contract.ts';
import { invalidOptions, parseRevision } from './list-options.ts';
import { isTrue } from './negotiate.ts';
import { integerOf } from './write-options.ts';

export interface WatchStart {
  /** The first changes delivered are above this revision; absent: those from now on. */
  readonly from?: Revision;
  /** First an ADDED event for each object there is. */
  readonly sendsState: boolean;
  /** A bookmark says where the state ends. */
  readonly marksEndOfState: boolean;
  readonly bookmarks: boolean;
  readonly timeoutSeconds?: number;
}

const MATCH = 'NotOlderThan';

export function readWatchStart(query: URLSearchParams): WatchStart {
  const sendInitialEvents = query.get('sendInitialEvents');
  checkInitialEvents(query, sendInitialEvents);
  const revision = parseRevision(query.get('resourceVersion'));
  const timeoutSeconds = integerOf(query, 'timeoutSeconds');
  const wantsState = sendInitialEvents === null ? revision === undefined || revision === 0 : isTrue(sendInitialEvents);
  return {
    ...(revision === undefined || revision === 0 ? {} : { from: revision }),
    sendsState: wantsState,
    marksEndOfState: wantsState && sendInitialEvents !== null && isTrue(query.get('allowWatchBookmarks')),
    bookmarks: isTrue(query.get('allowWatchBookmarks')),
    ...(timeoutSeconds === undefined || timeoutSeconds <= 0 ? {} : { timeoutSeconds }),
  };
}

function checkInitialEvents(query: URLSearchParams, sendInitialEvents: string | null): void {
  const match = query.get('resourceVersionMatch') ?? '';
  const faults: FieldError[] = [];
  if (sendInitialEvents === null && match !== '') {
    faults.push(
      forbid(
        'resourceVersionMatch',
        'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
      ),
    );
  }
  if (sendInitialEvents !== null && match !== MATCH) {
    faults.push(forbid('resourceVersionMatch', `sendInitialEvents requires setting resourceVersionMatch to ${MATCH}`));
  }
  if (faults.length > 0) throw invalidOptions(faults);
}

function forbid(path: string, text: string): FieldError {
  return { reason: 'FieldValueForbidden', path, message: `${path}: Forbidden: ${text}` };
}
