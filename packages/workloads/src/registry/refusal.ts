/** Answers of the distribution API that say no: a status, a code of the specification, a sentence. */

export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }

  /** The body that the specification wants. */
  toJson(): string {
    return JSON.stringify({ errors: [{ code: this.code, message: this.message }] });
  }
}

/** Shown in names that came from a client. */
const MAX_SHOWN = 100;

export const refusals = {
  notFound: () => new Refusal(404, 'UNSUPPORTED', 'there is nothing at this path'),
  unsupported: () => new Refusal(405, 'UNSUPPORTED', 'the method is not supported here'),
  nameInvalid: (name: string) =>
    new Refusal(400, 'NAME_INVALID', `"${name.slice(0, MAX_SHOWN)}" is not the name of a repository`),
  nameUnknown: (repository: string) => new Refusal(404, 'NAME_UNKNOWN', `there is no repository ${repository}`),
  digestInvalid: (problem: string) => new Refusal(400, 'DIGEST_INVALID', problem),
  manifestInvalid: (problem: string) => new Refusal(400, 'MANIFEST_INVALID', problem),
  manifestUnknown: (what: string) => new Refusal(404, 'MANIFEST_UNKNOWN', `there is no manifest ${what}`),
  partUnknown: (what: string) =>
    new Refusal(400, 'MANIFEST_BLOB_UNKNOWN', `the manifest names ${what}, which this repository does not have`),
  blobUnknown: (digest: string) => new Refusal(404, 'BLOB_UNKNOWN', `there is no blob ${digest}`),
  uploadUnknown: () => new Refusal(404, 'BLOB_UPLOAD_UNKNOWN', 'there is no such upload; begin anew'),
  uploadBusy: () =>
    new Refusal(409, 'BLOB_UPLOAD_INVALID', 'another request writes to this upload', { 'retry-after': '1' }),
  uploadInvalid: (problem: string) => new Refusal(400, 'BLOB_UPLOAD_INVALID', problem),
  outOfOrder: (offset: number) =>
    new Refusal(416, 'BLOB_UPLOAD_INVALID', `the next byte of this upload is ${offset}`, { range: rangeOf(offset) }),
  rangeInvalid: (size: number) =>
    new Refusal(416, 'SIZE_INVALID', 'the range is outside of the blob', { 'content-range': `bytes */${size}` }),
  tooLarge: (limit: number) => new Refusal(413, 'SIZE_INVALID', `more than ${limit} bytes are not taken`),
  sizeInvalid: (problem: string) => new Refusal(400, 'SIZE_INVALID', problem),
  pageInvalid: () => new Refusal(400, 'PAGINATION_NUMBER_INVALID', 'n is not a number of results'),
  unauthorized: (realm: string) =>
    new Refusal(401, 'UNAUTHORIZED', 'a token is needed; `skerry registry login` makes one', {
      'www-authenticate': `Basic realm="${realm}"`,
    }),
  denied: (reason: string) => new Refusal(403, 'DENIED', reason),
  tooMany: (what: string) => new Refusal(429, 'TOOMANYREQUESTS', what, { 'retry-after': '1' }),
  diskFull: () => new Refusal(507, 'DENIED', 'the disk of the registry is full; `skerry registry gc` makes room'),
  upstreamGone: () => new Refusal(502, 'UNKNOWN', 'the registry behind this door does not answer'),
  failed: () => new Refusal(500, 'UNKNOWN', 'the registry failed; its log says why'),
} as const;

/** What is there of an upload, as the specification writes it: `0-0` when nothing is, which is also one byte. */
export function rangeOf(offset: number): string {
  return `0-${Math.max(0, offset - 1)}`;
}
