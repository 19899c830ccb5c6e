/** Pushes an image to a registry: only what is not there, each blob from the byte that an interrupted try has reached. */
import type { Clock } from '@skerry/base';
import type { Descriptor, ImageReference, ImageSource } from '../contract.ts';
import { imageErrors } from '../errors.ts';
import { parseManifest } from '../manifest.ts';
import { persist } from '../persist.ts';
import { formatReference } from '../reference.ts';

export interface PushAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
}

/** One request to the registry. Throws imageErrors.UNREACHABLE where no answer comes. */
export type AskRegistry = (
  method: string,
  path: string,
  asking?: {
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
  },
) => Promise<PushAnswer>;

export interface PushOptions {
  readonly ask: AskRegistry;
  readonly source: ImageSource;
  readonly repository: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onSetback: (reason: string) => void;
}

/** Under its tag, and its digest where the name has one. Resolves to how many bytes of blobs were sent. */
export async function pushImage(image: ImageReference, options: PushOptions): Promise<number> {
  const target = await options.source.resolve(image);
  const sent = await pushManifest(image, target, options, image.tag);
  return sent;
}

async function pushManifest(
  image: ImageReference,
  target: Descriptor,
  options: PushOptions,
  tag: string | undefined,
): Promise<number> {
  const { source, ask, repository } = options;
  const bytes = await source.manifest(image, target);
  const manifest = parseManifest(bytes, formatReference(image));
  let sent = 0;
  if (manifest.kind === 'index') {
    for (const child of manifest.manifests) sent += await pushManifest(image, child, options, undefined);
  } else {
    for (const blob of [manifest.config, ...manifest.layers]) sent += await pushBlob(image, blob, options);
  }
  const headers = { 'content-type': target.mediaType, 'content-length': String(bytes.length) };
  const path = `/v2/${repository}/manifests/${tag ?? target.digest}`;
  success(await ask('PUT', path, { headers, body: bytes }), path);
  return sent;
}

async function pushBlob(image: ImageReference, blob: Descriptor, options: PushOptions): Promise<number> {
  const { ask, source, repository } = options;
  const known = await ask('HEAD', `/v2/${repository}/blobs/${blob.digest}`);
  if (known.status === 200) return 0;
  let place: string | undefined;
  await persist(options, async (advanced) => {
    const offset = place === undefined ? 0 : await offsetOf(ask, place);
    if (offset === undefined || place === undefined) place = await begin(ask, repository);
    const from = offset ?? 0;
    if (from > 0) advanced();
    if (from < blob.size) {
      const headers = {
        'content-type': 'application/octet-stream',
        'content-range': `${from}-${blob.size - 1}`,
        'content-length': String(blob.size - from),
      };
      success(await ask('PATCH', place, { headers, body: source.blob(image, blob, { offset: from }) }), place);
    }
    const end = `${place}${place.includes('?') ? '&' : '?'}digest=${blob.digest}`;
    success(await ask('PUT', end, { headers: { 'content-length': '0' } }), end);
  });
  return blob.size;
}

async function begin(ask: AskRegistry, repository: string): Promise<string> {
  const path = `/v2/${repository}/blobs/uploads/`;
  const answer = success(await ask('POST', path, { headers: { 'content-length': '0' } }), path);
  const { location } = answer.headers;
  if (typeof location !== 'string') {
    throw imageErrors.BAD_ANSWER({ where: 'the registry', what: path, problem: 'it does not say where to upload' });
  }
  return location;
}

/** How far an interrupted upload has come; undefined when the registry does not know it any more. */
async function offsetOf(ask: AskRegistry, place: string): Promise<number | undefined> {
  const answer = await ask('GET', place);
  if (answer.status === 404) return undefined;
  const last = /^(?:bytes=)?0-(\d+)$/.exec(String(success(answer, place).headers['range'] ?? ''))?.[1];
  // One byte and none look the same; sending it again costs nothing, and the registry says so if it has it.
  return last === undefined || last === '0' ? undefined : Number(last) + 1;
}

function success(answer: PushAnswer, path: string): PushAnswer {
  const { status, text } = answer;
  if (status < 400) return answer;
  const problem = wordsOf(text) ?? `it answered ${status}`;
  if (status >= 500 || status === 429 || status === 409) {
    throw imageErrors.UNAVAILABLE({ where: 'the registry', what: path, problem });
  }
  throw imageErrors.UNAUTHORIZED({ where: 'the registry', what: path, problem });
}

function wordsOf(text: string): string | undefined {
  try {
    const { errors } = JSON.parse(text) as { readonly errors?: readonly { readonly message?: string }[] };
    return errors?.[0]?.message;
  } catch {
    return undefined;
  }
}
