/** Who comes in, and what they may do: Kubernetes' users and its policy, in the words of a resource that no API serves. */
import type { Attributes, Authentication, Credentials, Decision, UserInfo } from '@skerry/api';
import { refusals } from './refusal.ts';
import type { Action } from './route.ts';

export const IMAGES = { group: 'registry.skerry.io', version: 'v1alpha1', resource: 'images' } as const;

export interface RegistryAccess {
  authenticate(credentials: Credentials): Promise<Authentication>;
  authorize(attributes: Attributes): Decision;
  /** The first part of a repository's name is its namespace where there is one of that name. */
  isNamespace(name: string): boolean;
}

/** Who asks; `isKnown` is false for a client without any credentials. */
export interface Visitor {
  readonly user: UserInfo;
  readonly isKnown: boolean;
}

const ANONYMOUS: UserInfo = { username: 'system:anonymous', groups: ['system:unauthenticated'] };
const REALM = 'skerry';

/** Throws UNAUTHORIZED for credentials that are not good. */
export async function identify(access: RegistryAccess, credentials: Credentials): Promise<Visitor> {
  const authentication = await access.authenticate(credentials);
  switch (authentication.kind) {
    case 'user':
      return { user: authentication.user, isKnown: true };
    case 'anonymous':
      return { user: ANONYMOUS, isKnown: false };
    case 'refused':
      throw refusals.unauthorized(REALM);
  }
}

/** Throws DENIED, or UNAUTHORIZED where the visitor could still say who it is. */
export function permit(access: RegistryAccess, { user, isKnown }: Visitor, action: Action, path: string): void {
  // Clients ask this first, and send their password only to who wants one.
  if (action.kind === 'ping' && !isKnown) throw refusals.unauthorized(REALM);
  for (const { verb, repository } of needsOf(action)) {
    const { allowed, reason } = access.authorize({ user, verb, path, resource: resourceOf(access, repository) });
    if (allowed) continue;
    if (!isKnown) throw refusals.unauthorized(REALM);
    const why = reason === undefined ? '' : `: ${reason}`;
    throw refusals.denied(`${user.username} may not ${verb} ${repository ?? 'all images'}${why}`);
  }
}

/** `Basic` with a token as the password, under any name, or `Bearer` with the token alone. */
export function tokenIn(authorization: string | undefined): string | undefined {
  const [, scheme = '', value = ''] = /^(basic|bearer) +(\S+)$/i.exec(authorization ?? '') ?? [];
  if (scheme === '') return undefined;
  if (scheme.toLowerCase() === 'bearer') return value;
  const text = Buffer.from(value, 'base64').toString();
  return text.slice(text.indexOf(':') + 1);
}

interface Need {
  readonly verb: 'get' | 'list' | 'create' | 'delete';
  /** Absent: all of them. */
  readonly repository?: string;
}

function needsOf(action: Action): readonly Need[] {
  switch (action.kind) {
    case 'ping':
      return [];
    case 'catalog':
      return [{ verb: 'list' }];
    case 'collect':
      return [{ verb: 'delete' }];
    case 'tags':
    case 'referrers':
    case 'get-manifest':
    case 'get-blob':
      return [{ verb: 'get', repository: action.repository }];
    case 'delete-manifest':
    case 'delete-blob':
      return [{ verb: 'delete', repository: action.repository }];
    case 'start-upload': {
      const { repository, mount } = action;
      return [
        { verb: 'create', repository },
        ...(mount === undefined ? [] : [{ verb: 'get', repository: mount.from } as const]),
      ];
    }
    case 'put-manifest':
    case 'get-upload':
    case 'append-upload':
    case 'finish-upload':
    case 'cancel-upload':
      return [{ verb: 'create', repository: action.repository }];
  }
}

function resourceOf(access: RegistryAccess, repository: string | undefined): NonNullable<Attributes['resource']> {
  if (repository === undefined) return IMAGES;
  const { namespace, name } = placeOf(access, repository);
  return { ...IMAGES, name, ...(namespace === undefined ? {} : { namespace }) };
}

/** Where images of other registries are brought by hand for everybody: no namespace of that name may own them. */
const SHARED = 'imported';

/** `team/web` is the image `web` in the namespace `team`; `web`, and what begins with no namespace's name, is in none. */
export function placeOf(
  access: Pick<RegistryAccess, 'isNamespace'>,
  repository: string,
): { readonly namespace?: string; readonly name: string } {
  const slash = repository.indexOf('/');
  const first = repository.slice(0, Math.max(0, slash));
  return first !== '' && first !== SHARED && access.isNamespace(first)
    ? { namespace: first, name: repository.slice(slash + 1) }
    : { name: repository };
}
