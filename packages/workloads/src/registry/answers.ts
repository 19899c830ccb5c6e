/** From an action to an answer: the headers and status codes that the distribution specification wants. */
import type { IncomingHttpHeaders } from 'node:http';
import { type Digest, MAX_MANIFEST_BYTES, MediaType } from '../images/index.ts';
import type { ManifestRow } from './catalog.ts';
import { rangeOf, refusals } from './refusal.ts';
import type { FoundManifest, Registry } from './registry.ts';
import type { Action, Page, Reference } from './route.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | AsyncIterable<Uint8Array>;
}

export interface Asked {
  readonly headers: IncomingHttpHeaders;
  readonly query: URLSearchParams;
  readonly body: AsyncIterable<Uint8Array>;
}

export async function answer(registry: Registry, action: Action, asked: Asked): Promise<Answer> {
  switch (action.kind) {
    case 'ping':
      return json({});
    case 'catalog':
      return listed('/v2/_catalog', 'repositories', action.page, (page) => registry.repositories(page));
    case 'collect':
      return json(await registry.collect({ untagged: asked.query.has('untagged'), atOnce: asked.query.has('now') }));
    case 'tags': {
      const { repository, page } = action;
      const listing = listed(`/v2/${repository}/tags/list`, 'tags', page, (one) => registry.tags(repository, one));
      return {
        ...listing,
        body: JSON.stringify({ name: repository, ...(JSON.parse(String(listing.body)) as object) }),
      };
    }
    case 'referrers':
      return referrers(registry, action);
    case 'get-manifest':
      return found(registry.manifest(action.repository, action.reference), asked);
    case 'put-manifest':
      return putManifest(registry, action, asked);
    case 'delete-manifest':
      registry.deleteManifest(action.repository, action.reference);
      return { status: 202, headers: {} };
    case 'get-blob':
      return getBlob(registry, action, asked);
    case 'delete-blob':
      registry.deleteBlob(action.repository, action.digest);
      return { status: 202, headers: {} };
    default:
      return answerUpload(registry, action, asked);
  }
}

type UploadAction = Extract<Action, { readonly kind: `${string}-upload` }>;

async function answerUpload(registry: Registry, action: UploadAction, asked: Asked): Promise<Answer> {
  const { repository } = action;
  switch (action.kind) {
    case 'start-upload':
      return startUpload(registry, action, asked);
    case 'get-upload':
      return progress(204, action, await registry.uploadOffset(repository, action.id));
    case 'append-upload':
      return progress(202, action, await registry.append(repository, action.id, chunkOf(asked)));
    case 'finish-upload': {
      const { id, digest } = action;
      await registry.finish(repository, id, { ...chunkOf(asked), digest });
      return created(repository, digest);
    }
    case 'cancel-upload':
      await registry.cancel(repository, action.id);
      return { status: 204, headers: {} };
  }
}

async function startUpload(
  registry: Registry,
  { repository, digest, mount }: Extract<Action, { readonly kind: 'start-upload' }>,
  asked: Asked,
): Promise<Answer> {
  if (mount !== undefined && registry.mount(repository, mount)) return created(repository, mount.digest);
  const id = await registry.startUpload(repository);
  if (digest === undefined) return progress(202, { repository, id }, 0);
  await registry.finish(repository, id, { ...chunkOf(asked), digest });
  return created(repository, digest);
}

/** The range that the specification wants has no unit; some clients send it all the same. */
const CONTENT_RANGE = /^(?:bytes[ =])?(\d+)-\d+(?:\/.+)?$/;

function chunkOf({ headers, body }: Asked): { readonly body: AsyncIterable<Uint8Array>; readonly start?: number } {
  const range = headers['content-range'];
  if (range === undefined) return { body };
  const start = CONTENT_RANGE.exec(range)?.[1];
  if (start === undefined) throw refusals.uploadInvalid('Content-Range is not FIRST-LAST');
  return { body, start: Number(start) };
}

function progress(
  status: number,
  { repository, id }: { readonly repository: string; readonly id: string },
  offset: number,
): Answer {
  const headers = {
    location: `/v2/${repository}/blobs/uploads/${id}`,
    range: rangeOf(offset),
    'docker-upload-uuid': id,
    'oci-chunk-min-length': '0',
  };
  return { status, headers };
}

function created(repository: string, digest: Digest): Answer {
  return {
    status: 201,
    headers: { location: `/v2/${repository}/blobs/${digest}`, 'docker-content-digest': digest },
  };
}

function found({ digest, mediaType, size, content }: FoundManifest, { headers }: Asked): Answer {
  if (headers['if-none-match'] === `"${digest}"`) return { status: 304, headers: { etag: `"${digest}"` } };
  return {
    status: 200,
    headers: {
      'content-type': mediaType,
      'content-length': String(size),
      'docker-content-digest': digest,
      etag: `"${digest}"`,
    },
    body: content(),
  };
}

async function putManifest(
  registry: Registry,
  { repository, reference }: { readonly repository: string; readonly reference: Reference },
  { headers, body }: Asked,
): Promise<Answer> {
  const bytes = await readAll(body, MAX_MANIFEST_BYTES);
  const type = headers['content-type'];
  const pushed = await registry.putManifest(repository, reference, {
    bytes,
    ...(type === undefined ? {} : { contentType: type }),
  });
  return {
    status: 201,
    headers: {
      location: `/v2/${repository}/manifests/${pushed.digest}`,
      'docker-content-digest': pushed.digest,
      ...(pushed.subject === undefined ? {} : { 'oci-subject': pushed.subject }),
    },
  };
}

async function readAll(body: AsyncIterable<Uint8Array>, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) throw refusals.tooLarge(limit);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function getBlob(
  registry: Registry,
  { repository, digest }: { readonly repository: string; readonly digest: Digest },
  { headers }: Asked,
): Answer {
  const { size } = registry.blob(repository, digest);
  const range = rangeIn(headers.range, size);
  const common = {
    'content-type': 'application/octet-stream',
    'docker-content-digest': digest,
    'accept-ranges': 'bytes',
    etag: `"${digest}"`,
    'cache-control': 'max-age=31536000',
  };
  const { offset, length } = range ?? { offset: 0, length: size };
  const part = range === undefined ? {} : { 'content-range': `bytes ${offset}-${offset + length - 1}/${size}` };
  return {
    status: range === undefined ? 200 : 206,
    headers: { ...common, ...part, 'content-length': String(length) },
    body: registry.read(digest, { offset, length }),
  };
}

/** One range of bytes; what else a client may ask for is answered with the whole, as HTTP allows. */
function rangeIn(
  header: string | undefined,
  size: number,
): { readonly offset: number; readonly length: number } | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  const offset = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (offset >= size || end < offset) throw refusals.rangeInvalid(size);
  return { offset, length: end - offset + 1 };
}

/** One more than asked for tells whether there is a next page. */
function listed(path: string, name: string, { size, after }: Page, read: (page: Page) => readonly string[]): Answer {
  const some = read({ size: size + 1, after });
  const shown = some.slice(0, size);
  const last = shown.at(-1);
  const next =
    some.length > size && last !== undefined ? `${path}?n=${size}&last=${encodeURIComponent(last)}` : undefined;
  return json({ [name]: shown }, next === undefined ? {} : { link: `<${next}>; rel="next"` });
}

function referrers(
  registry: Registry,
  { repository, digest, artifactType }: Extract<Action, { readonly kind: 'referrers' }>,
): Answer {
  const manifests = registry.referrers(repository, digest, artifactType).map(toDescriptor);
  const filtered = artifactType === undefined ? {} : { 'oci-filters-applied': 'artifactType' };
  const index = { schemaVersion: 2, mediaType: MediaType.index, manifests };
  return { ...json(index, filtered), headers: { ...filtered, 'content-type': MediaType.index } };
}

function toDescriptor({ mediaType, digest, size, artifactType, annotations }: ManifestRow): object {
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

function json(value: object, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status: 200, headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(value) };
}
