/** Images from a registry that speaks the OCI distribution protocol, or from its mirrors. */
import type { Clock } from '@skerry/base';
import { hasCode } from '@skerry/base';
import type { BlobFetchOptions, Descriptor, FetchOptions, ImageReference, ImageSource } from '../contract.ts';
import { digestOf, parseDigest } from '../digest.ts';
import { imageErrors } from '../errors.ts';
import { MANIFEST_TYPES, MAX_MANIFEST_BYTES, mediaTypeOf } from '../manifest.ts';
import { formatReference } from '../reference.ts';
import { type Endpoint, endpointsOf, type RegistrySettings } from './access.ts';
import { Authorizations, authorize } from './authorization.ts';
import { parseChallenge } from './challenge.ts';
import { Agents, type Answer, type ExchangeContext, exchange } from './exchange.ts';
import type { Closed } from './shield.ts';

/** What a registry says about a failure is cut to this. */
const MAX_ERROR_BYTES = 16 * 1024;
const MAX_PROBLEM_LENGTH = 200;

export interface RegistrySourceOptions {
  readonly clock: Clock;
  /** Asked anew for each request, so that a change counts at once. */
  readonly settings: () => RegistrySettings;
  /** Where others than the machine's owner name registries: what is closed to them. The machine itself is, too, unless settings name it. */
  readonly closed?: Closed;
}

export function createRegistrySource(options: RegistrySourceOptions): ImageSource {
  return new RegistrySource(options);
}

interface Question {
  readonly method: 'GET' | 'HEAD';
  /** Behind `/v2/REPOSITORY/`. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** For errors: `image x`, `blob sha256:…`. */
  readonly what: string;
}

class RegistrySource implements ImageSource {
  readonly #options: RegistrySourceOptions;
  readonly #agents = new Agents();
  readonly #authorizations: Authorizations;

  constructor(options: RegistrySourceOptions) {
    this.#options = options;
    this.#authorizations = new Authorizations(options.clock);
  }

  resolve(image: ImageReference, options: FetchOptions = {}): Promise<Descriptor> {
    return this.#atFirst(image, (endpoint) => this.#resolveAt(endpoint, image, options));
  }

  manifest(image: ImageReference, { digest }: Descriptor, options: FetchOptions = {}): Promise<Uint8Array> {
    const question = manifestQuestion('GET', digest, image);
    return this.#atFirst(image, async (endpoint) => {
      const answer = await this.#ask(endpoint, image, question, options);
      refuseLong(answer, question.what);
      return await answer.whole(MAX_MANIFEST_BYTES, question.what);
    });
  }

  async *blob(image: ImageReference, wanted: Descriptor, options: BlobFetchOptions = {}): AsyncGenerator<Uint8Array> {
    const { offset = 0 } = options;
    const what = `blob ${wanted.digest} of ${formatReference(image)}`;
    const headers = { Accept: '*/*', ...(offset === 0 ? {} : { Range: `bytes=${offset}-` }) };
    const question: Question = { method: 'GET', path: `blobs/${wanted.digest}`, headers, what };
    const [answer, skip] = await this.#atFirst(image, async (endpoint): Promise<[Answer, number]> => {
      const found = await this.#ask(endpoint, image, question, options);
      return [found, startOf(found, { offset, size: wanted.size, where: whereOf(image, endpoint), what })];
    });
    yield* withoutFirst(answer.body(), skip);
  }

  async #resolveAt(endpoint: Endpoint, image: ImageReference, options: FetchOptions): Promise<Descriptor> {
    const name = image.digest ?? image.tag ?? 'latest';
    const head = await this.#ask(endpoint, image, manifestQuestion('HEAD', name, image), options);
    head.drop();
    const digest = image.digest ?? parseDigest(head.headers['docker-content-digest']);
    const [size, mediaType] = [Number(head.headers['content-length'] ?? Number.NaN), contentTypeOf(head)];
    if (digest !== undefined && Number.isSafeInteger(size) && MANIFEST_TYPES.includes(mediaType)) {
      return { digest, size, mediaType };
    }
    return await this.#resolveByContent(endpoint, image, name, options);
  }

  /** For registries that do not say it all in a header. */
  async #resolveByContent(
    endpoint: Endpoint,
    image: ImageReference,
    name: string,
    options: FetchOptions,
  ): Promise<Descriptor> {
    const question = manifestQuestion('GET', name, image);
    const answer = await this.#ask(endpoint, image, question, options);
    refuseLong(answer, question.what);
    const bytes = await answer.whole(MAX_MANIFEST_BYTES, question.what);
    const contentType = contentTypeOf(answer);
    const mediaType = MANIFEST_TYPES.includes(contentType) ? contentType : mediaTypeOf(bytes);
    if (mediaType === undefined) {
      const problem = `it sent ${contentType || 'something'}, which is no image manifest`;
      throw imageErrors.BAD_ANSWER({ where: whereOf(image, endpoint), what: question.what, problem });
    }
    return { digest: image.digest ?? digestOf(bytes), size: bytes.length, mediaType };
  }

  /** Of the endpoints in order; a mirror that fails is passed over. */
  async #atFirst<Result>(image: ImageReference, work: (endpoint: Endpoint) => Promise<Result>): Promise<Result> {
    for (const endpoint of endpointsOf(image, this.#options.settings())) {
      try {
        return await work(endpoint);
      } catch (error) {
        if (!endpoint.isMirror || !hasCode(error)) throw error;
      }
    }
    throw new TypeError('the registry itself is always among its endpoints');
  }

  /** Answers that are no success are thrown. */
  async #ask(
    endpoint: Endpoint,
    image: ImageReference,
    question: Question,
    { credentials, signal }: FetchOptions,
  ): Promise<Answer> {
    const where = whereOf(image, endpoint);
    const { clock, closed } = this.#options;
    const watch = closed === undefined ? {} : { closed };
    const context: ExchangeContext = { clock, agents: this.#agents, signal, where, endpoint, ...watch };
    const shown = endpoint.isMirror ? undefined : credentials;
    const key = JSON.stringify([endpoint.base, image.repository, shown]);
    const url = new URL(`${endpoint.base}/v2/${image.repository}/${question.path}`);
    const ask = { method: question.method, url, headers: question.headers };
    const known = this.#authorizations.find(key);
    const first = await exchange(context, { ...ask, ...(known === undefined ? {} : { authorization: known }) });
    if (first.status !== 401) return await successOf(first, where, question.what);
    first.drop();
    this.#authorizations.forget(key);
    const challenge = parseChallenge(first.headers['www-authenticate'] ?? '');
    if (challenge === undefined) throw unauthorized(where, question.what, 'it does not say what it wants');
    const wish = { challenge, credentials: shown, repository: image.repository, what: question.what };
    const { header, seconds } = await authorize(context, wish);
    const second = await exchange(context, { ...ask, authorization: header });
    if (second.status !== 401) this.#authorizations.keep(key, header, seconds);
    return await successOf(second, where, question.what);
  }
}

function manifestQuestion(method: 'GET' | 'HEAD', name: string, image: ImageReference): Question {
  const headers = { Accept: MANIFEST_TYPES.join(', ') };
  return { method, path: `manifests/${name}`, headers, what: `image ${formatReference(image)}` };
}

function whereOf({ registry }: ImageReference, { base, isMirror }: Endpoint): string {
  return isMirror ? `mirror ${base} of ${registry}` : `registry ${registry}`;
}

async function successOf(answer: Answer, where: string, what: string): Promise<Answer> {
  const { status } = answer;
  if (status === 200 || status === 206) {
    const encoding = answer.headers['content-encoding'] ?? 'identity';
    if (encoding === 'identity' && contentTypeOf(answer) !== 'text/html') return answer;
    answer.drop();
    const problem = encoding === 'identity' ? 'it sent a page for people (text/html)' : `it sent it as ${encoding}`;
    throw imageErrors.BAD_ANSWER({ where, what, problem });
  }
  if (status === 404) {
    answer.drop();
    throw imageErrors.NOT_FOUND({ what, where });
  }
  const problem = `it answered ${status}${await wordsOf(answer)}`;
  if (status === 401) throw unauthorized(where, what, 'the credentials are not accepted');
  if (status === 403) throw unauthorized(where, what, problem);
  if (status >= 500 || status === 429) throw imageErrors.UNAVAILABLE({ where, what, problem });
  throw imageErrors.BAD_ANSWER({ where, what, problem });
}

function unauthorized(where: string, what: string, problem: string): Error {
  return imageErrors.UNAUTHORIZED({ where, what, problem });
}

/** The first message of a registry's error document, printable; empty where there is none. */
async function wordsOf(answer: Answer): Promise<string> {
  try {
    const text = (await answer.whole(MAX_ERROR_BYTES, 'error')).toString('utf8');
    const { errors } = JSON.parse(text) as { errors?: readonly { message?: unknown }[] };
    const message = errors?.[0]?.message;
    return typeof message === 'string'
      ? `: ${message.replace(/[^\x20-\x7e]+/g, ' ').slice(0, MAX_PROBLEM_LENGTH)}`
      : '';
  } catch {
    // The status says enough.
    return '';
  }
}

function contentTypeOf({ headers }: Answer): string {
  return (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

/** Before a byte of it is read. */
function refuseLong(answer: Answer, what: string): void {
  if (Number(answer.headers['content-length'] ?? 0) <= MAX_MANIFEST_BYTES) return;
  answer.drop();
  throw imageErrors.TOO_LARGE({ what, limit: MAX_MANIFEST_BYTES });
}

interface Range {
  readonly offset: number;
  readonly size: number;
  readonly where: string;
  readonly what: string;
}

/** How many bytes of the body come before the wanted ones: registries may ignore a range. */
function startOf(answer: Answer, { offset, size, where, what }: Range): number {
  const fail = (problem: string): Error => {
    answer.drop();
    return imageErrors.BAD_ANSWER({ where, what, problem });
  };
  const first = answer.status === 206 ? /^bytes (\d+)-/.exec(answer.headers['content-range'] ?? '')?.[1] : '0';
  const start = Number(first ?? Number.NaN);
  if (Number.isNaN(start) || start > offset) throw fail('it sent another part than was asked for');
  const announced = Number(answer.headers['content-length'] ?? size - start);
  if (announced !== size - start) throw fail(`it announces ${announced} bytes instead of ${size - start}`);
  return offset - start;
}

async function* withoutFirst(chunks: AsyncIterable<Uint8Array>, skip: number): AsyncGenerator<Uint8Array> {
  let left = skip;
  for await (const chunk of chunks) {
    if (left < chunk.length) yield left === 0 ? chunk : chunk.subarray(left);
    left = Math.max(0, left - chunk.length);
  }
}
