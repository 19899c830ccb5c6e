/** What a request of the distribution API asks for: pure, from method and URL to an action and what it takes to be allowed to. */
import { type Digest, parseDigest } from '../images/index.ts';
import { refusals } from './refusal.ts';

/** A tag, or a digest where content is meant whatever a tag says. */
export type Reference = { readonly tag: string } | { readonly digest: Digest };

export type Action =
  | { readonly kind: 'ping' }
  | { readonly kind: 'catalog'; readonly page: Page }
  | { readonly kind: 'collect' }
  | { readonly kind: 'tags'; readonly repository: string; readonly page: Page }
  | { readonly kind: 'referrers'; readonly repository: string; readonly digest: Digest; readonly artifactType?: string }
  | { readonly kind: 'get-manifest'; readonly repository: string; readonly reference: Reference }
  | { readonly kind: 'put-manifest'; readonly repository: string; readonly reference: Reference }
  | { readonly kind: 'delete-manifest'; readonly repository: string; readonly reference: Reference }
  | { readonly kind: 'get-blob'; readonly repository: string; readonly digest: Digest }
  | { readonly kind: 'delete-blob'; readonly repository: string; readonly digest: Digest }
  | { readonly kind: 'start-upload'; readonly repository: string; readonly digest?: Digest; readonly mount?: Mount }
  | { readonly kind: 'get-upload'; readonly repository: string; readonly id: string }
  | { readonly kind: 'append-upload'; readonly repository: string; readonly id: string }
  | { readonly kind: 'finish-upload'; readonly repository: string; readonly id: string; readonly digest: Digest }
  | { readonly kind: 'cancel-upload'; readonly repository: string; readonly id: string };

/** A blob that another repository has already. */
export interface Mount {
  readonly digest: Digest;
  readonly from: string;
}

export interface Page {
  readonly size: number;
  /** Start behind this name. */
  readonly after: string;
}

/** The most that one answer lists; a client that asks for more is told where to go on. */
export const MAX_PAGE = 1000;
const MAX_REPOSITORY_LENGTH = 255;
const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const UPLOAD_ID = /^[0-9a-f-]{36}$/;

export const API_ROOT = '/v2/';
/** Ours, not the specification's: makes room at once. */
const COLLECT_PATH = '/v2/_skerry/collect';

/** Throws a refusal for whatever the API does not know. */
export function parseRoute(method: string, url: string): Action {
  const at = url.indexOf('?');
  const path = at < 0 ? url : url.slice(0, at);
  const query = new URLSearchParams(at < 0 ? '' : url.slice(at + 1));
  const isRead = method === 'GET' || method === 'HEAD';
  if (path === API_ROOT || path === '/v2') return when(isRead, { kind: 'ping' });
  if (path === '/v2/_catalog') return when(isRead, { kind: 'catalog', page: pageOf(query) });
  if (path === COLLECT_PATH) return when(method === 'POST', { kind: 'collect' });
  const match = /^\/v2\/(.+?)\/(manifests|blobs|tags|referrers)\/(.+)$/.exec(path);
  if (match === null) throw refusals.notFound();
  return inRepository(
    method,
    { repository: repositoryOf(match[1]), what: match[2] ?? '', rest: match[3] ?? '' },
    query,
  );
}

interface Parts {
  readonly repository: string;
  readonly what: string;
  readonly rest: string;
}

function inRepository(method: string, { repository, what, rest }: Parts, query: URLSearchParams): Action {
  const isRead = method === 'GET' || method === 'HEAD';
  switch (what) {
    case 'tags':
      if (rest !== 'list') throw refusals.notFound();
      return when(isRead, { kind: 'tags', repository, page: pageOf(query) });
    case 'referrers':
      return when(isRead, { kind: 'referrers', repository, digest: digestIn(rest), ...artifactType(query) });
    case 'manifests':
      return onManifest(method, repository, referenceOf(rest));
    default:
      return rest.startsWith('uploads/') || rest === 'uploads'
        ? onUpload(method, { repository, id: rest.slice('uploads/'.length) }, query)
        : onBlob(method, repository, digestIn(rest));
  }
}

function onManifest(method: string, repository: string, reference: Reference): Action {
  switch (method) {
    case 'GET':
    case 'HEAD':
      return { kind: 'get-manifest', repository, reference };
    case 'PUT':
      return { kind: 'put-manifest', repository, reference };
    case 'DELETE':
      return { kind: 'delete-manifest', repository, reference };
    default:
      throw refusals.unsupported();
  }
}

function onBlob(method: string, repository: string, digest: Digest): Action {
  if (method === 'GET' || method === 'HEAD') return { kind: 'get-blob', repository, digest };
  return when(method === 'DELETE', { kind: 'delete-blob', repository, digest });
}

function onUpload(
  method: string,
  { repository, id }: { readonly repository: string; readonly id: string },
  query: URLSearchParams,
): Action {
  const wanted = query.get('digest');
  if (id === '') return when(method === 'POST', startOf(repository, query));
  if (!UPLOAD_ID.test(id)) throw refusals.uploadUnknown();
  switch (method) {
    case 'GET':
    case 'HEAD':
      return { kind: 'get-upload', repository, id };
    case 'PATCH':
      return { kind: 'append-upload', repository, id };
    case 'PUT':
      return { kind: 'finish-upload', repository, id, digest: digestIn(wanted ?? '') };
    case 'DELETE':
      return { kind: 'cancel-upload', repository, id };
    default:
      throw refusals.unsupported();
  }
}

function startOf(repository: string, query: URLSearchParams): Action {
  const [mount, from, whole] = [query.get('mount'), query.get('from'), query.get('digest')];
  if (whole !== null) return { kind: 'start-upload', repository, digest: digestIn(whole) };
  // Without a place to take it from there is nothing to mount: an upload begins, as the specification wants.
  if (mount === null || from === null) return { kind: 'start-upload', repository };
  return { kind: 'start-upload', repository, mount: { digest: digestIn(mount), from: repositoryOf(from) } };
}

function when(isKnown: boolean, action: Action): Action {
  if (!isKnown) throw refusals.unsupported();
  return action;
}

function repositoryOf(name = ''): string {
  if (name.length > MAX_REPOSITORY_LENGTH || !REPOSITORY.test(name)) throw refusals.nameInvalid(name);
  return name;
}

function digestIn(text: string): Digest {
  const digest = parseDigest(decoded(text));
  if (digest === undefined) throw refusals.digestInvalid('a sha256 digest is wanted');
  return digest;
}

function referenceOf(text: string): Reference {
  const name = decoded(text);
  if (name.includes(':')) return { digest: digestIn(text) };
  if (!TAG.test(name)) throw refusals.manifestInvalid('the tag is not valid');
  return { tag: name };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function artifactType(query: URLSearchParams): { readonly artifactType?: string } {
  const type = query.get('artifactType');
  return type === null ? {} : { artifactType: type };
}

function pageOf(query: URLSearchParams): Page {
  const asked = query.get('n');
  const size = asked === null ? MAX_PAGE : Number(asked);
  if (!Number.isInteger(size) || size < 0) throw refusals.pageInvalid();
  return { size: Math.min(size, MAX_PAGE), after: query.get('last') ?? '' };
}
