/** `--as` and `--as-group`: who a request acts as, if its own user may. */
import { type Authorizer, StatusError, type UserInfo } from '@skerry/api';
import { SERVICE_ACCOUNT_PREFIX } from '../tokens/claims.ts';

export type ImpersonationHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

const USER = 'impersonate-user';
const GROUP = 'impersonate-group';
const UID = 'impersonate-uid';
const EXTRA_PREFIX = 'impersonate-extra-';
const MAX_NAMES = 64;

/** The user to act as; `user` itself when no header asks for another. Throws Forbidden or BadRequest. Header names are lower case. */
export function impersonate(authorizer: Authorizer, user: UserInfo, headers: ImpersonationHeaders): UserInfo {
  const username = one(headers[USER]);
  const groups = many(headers[GROUP]);
  const uid = one(headers[UID]);
  const extra = extraOf(headers);
  if (username === undefined) {
    if (groups.length > 0 || uid !== undefined || extra.length > 0) {
      throw new StatusError(400, 'BadRequest', 'requested impersonation without a user');
    }
    return user;
  }
  demandUser(authorizer, user, username);
  for (const group of groups) demand(authorizer, user, { group: '', resource: 'groups', name: group });
  if (uid !== undefined) demand(authorizer, user, { group: AUTHENTICATION, resource: 'uids', name: uid });
  for (const [key, values] of extra) {
    for (const name of values)
      demand(authorizer, user, { group: AUTHENTICATION, resource: 'userextras', subresource: key, name });
  }
  return {
    username,
    groups: withDefaults(username, groups),
    ...(uid === undefined ? {} : { uid }),
    ...(extra.length === 0 ? {} : { extra: Object.fromEntries(extra) }),
  };
}

const AUTHENTICATION = 'authentication.k8s.io';

function withDefaults(username: string, groups: readonly string[]): readonly string[] {
  if (username === 'system:anonymous') return [...groups, 'system:unauthenticated'];
  const account = serviceAccountOf(username);
  const own =
    account && groups.length === 0 ? ['system:serviceaccounts', `system:serviceaccounts:${account.namespace}`] : [];
  return [...new Set([...groups, ...own, 'system:authenticated'])];
}

function demandUser(authorizer: Authorizer, user: UserInfo, username: string): void {
  const account = serviceAccountOf(username);
  if (account) demand(authorizer, user, { group: '', resource: 'serviceaccounts', ...account });
  else demand(authorizer, user, { group: '', resource: 'users', name: username });
}

function serviceAccountOf(username: string): { namespace: string; name: string } | undefined {
  if (!username.startsWith(SERVICE_ACCOUNT_PREFIX)) return undefined;
  const [namespace, name, ...rest] = username.slice(SERVICE_ACCOUNT_PREFIX.length).split(':');
  return namespace && name && rest.length === 0 ? { namespace, name } : undefined;
}

interface Target {
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name: string;
}

function demand(authorizer: Authorizer, user: UserInfo, target: Target): void {
  const { allowed } = authorizer.authorize({
    user,
    verb: 'impersonate',
    path: '',
    resource: { version: 'v1', ...target },
  });
  if (allowed) return;
  const what = `${target.resource} "${target.name}" is forbidden`;
  const why = `User "${user.username}" cannot impersonate resource "${target.resource}" in API group "${target.group}" at the cluster scope`;
  throw new StatusError(403, 'Forbidden', `${what}: ${why}`, {
    name: target.name,
    kind: target.resource,
    group: target.group,
  });
}

function extraOf(headers: ImpersonationHeaders): [string, readonly string[]][] {
  return Object.keys(headers)
    .filter((name) => name.startsWith(EXTRA_PREFIX))
    .map((name) => [decodeKey(name.slice(EXTRA_PREFIX.length)), many(headers[name])]);
}

function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    throw new StatusError(400, 'BadRequest', 'impersonation header is not valid');
  }
}

function one(value: string | readonly string[] | undefined): string | undefined {
  return many(value)[0];
}

/** Node joins repeated headers with a comma and a space. */
function many(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  const names = typeof value === 'string' ? value.split(', ') : value;
  if (names.length > MAX_NAMES) throw new StatusError(400, 'BadRequest', `more than ${MAX_NAMES} impersonation values`);
  return names.filter((name) => name !== '');
}
