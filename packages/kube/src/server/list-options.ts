/** The query of a list or a watch: resourceVersion in all its forms, limit, continue. */
import type { FieldError } from '@skerry/api';
import type { Revision } from '../store/contract.ts';
import { badRequest, invalid } from './statuses.ts';
import { integerOf, unsupported } from './write-options.ts';

/** At which revision a list is read. */
export type ReadAt =
  | { readonly type: 'latest' }
  /** Whatever is at hand; the limit does not count. */
  | { readonly type: 'any' }
  | { readonly type: 'notOlderThan'; readonly revision: Revision }
  | { readonly type: 'exact'; readonly revision: Revision };

export interface ListQuery {
  readonly at: ReadAt;
  readonly limit: number;
  readonly continueToken?: ContinueToken;
}

/** Where the next page begins. */
export interface ContinueToken {
  /** -1: at the latest revision, after the list's own was compacted. */
  readonly revision: Revision;
  /** The last key of the page before, within the collection. */
  readonly after: string;
}

const MATCHES: readonly string[] = ['Exact', 'NotOlderThan'];

export function parseListQuery(query: URLSearchParams): ListQuery {
  checkMatch(query);
  const limit = integerOf(query, 'limit') ?? 0;
  if (limit < 0) throw badRequest('limit must not be negative');
  const token = query.get('continue') ?? '';
  if (token === '') return { at: readAt(query, limit), limit };
  const resourceVersion = query.get('resourceVersion') ?? '';
  if (resourceVersion !== '' && resourceVersion !== '0') {
    throw badRequest('specifying resource version is not allowed when using continue');
  }
  const continueToken = decodeContinue(token);
  const { revision } = continueToken;
  return { at: revision < 0 ? { type: 'latest' } : { type: 'exact', revision }, limit, continueToken };
}

/** Parses a resourceVersion; '' and absent are undefined. */
export function parseRevision(text: string | null): Revision | undefined {
  if (text === null || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text)) {
    const message = `resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`;
    throw invalidOptions([{ reason: 'FieldValueInvalid', path: 'resourceVersion', message }]);
  }
  return Number(text);
}

function readAt(query: URLSearchParams, limit: number): ReadAt {
  const revision = parseRevision(query.get('resourceVersion'));
  const match = query.get('resourceVersionMatch') ?? '';
  if (revision === undefined) return { type: 'latest' };
  if (match === 'Exact') return { type: 'exact', revision };
  if (revision === 0) return { type: 'any' };
  // Without a match, a page at a revision means exactly that one (the meaning before resourceVersionMatch existed).
  if (match === '' && limit > 0) return { type: 'exact', revision };
  return { type: 'notOlderThan', revision };
}

function checkMatch(query: URLSearchParams): void {
  const match = query.get('resourceVersionMatch') ?? '';
  if (match === '') return;
  const path = 'resourceVersionMatch';
  const revision = query.get('resourceVersion') ?? '';
  const forbid = (text: string): FieldError => ({
    reason: 'FieldValueForbidden',
    path,
    message: `${path}: Forbidden: ${text}`,
  });
  const faults: FieldError[] = [];
  if (revision === '') faults.push(forbid('resourceVersionMatch is forbidden unless resourceVersion is provided'));
  if ((query.get('continue') ?? '') !== '')
    faults.push(forbid('resourceVersionMatch is forbidden when continue is provided'));
  if (!MATCHES.includes(match)) faults.push(unsupported(path, match, MATCHES));
  if (match === 'Exact' && revision === '0')
    faults.push(forbid('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
  if (faults.length > 0) throw invalidOptions(faults);
}

export function invalidOptions(faults: readonly FieldError[]): Error {
  return invalid({ group: 'meta.k8s.io', version: 'v1', kind: 'ListOptions' }, '', faults);
}

const TOKEN_VERSION = 'meta.k8s.io/v1';

export function encodeContinue({ revision, after }: ContinueToken): string {
  const token = JSON.stringify({ v: TOKEN_VERSION, rv: revision, start: `${after}\u0000` });
  return Buffer.from(token).toString('base64url');
}

function decodeContinue(token: string): ContinueToken {
  try {
    const { v, rv, start } = JSON.parse(Buffer.from(token, 'base64url').toString()) as Record<string, unknown>;
    const isToken =
      v === TOKEN_VERSION && Number.isSafeInteger(rv) && typeof start === 'string' && start.endsWith('\u0000');
    if (isToken && rv !== 0) return { revision: Number(rv), after: start.slice(0, -1) };
  } catch (cause) {
    throw Object.assign(badRequest('continue key is not valid: invalid continue token'), { cause });
  }
  throw badRequest('continue key is not valid: invalid continue token');
}
