/** Requests and answers of the query endpoints, without sockets: the API server of either shore brings and takes them. */

export interface QueryRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body?: Uint8Array;
  readonly signal: AbortSignal;
}

export interface QueryAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | AsyncIterable<Uint8Array>;
}

export function jsonAnswer(status: number, value: unknown): QueryAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}

/** Of the URL, and of a form in the body, which long queries come in. */
export function parametersOf({ query, headers, body }: QueryRequest): URLSearchParams {
  const isForm = headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true;
  if (!isForm || body === undefined) return query;
  return new URLSearchParams([...query, ...new URLSearchParams(Buffer.from(body).toString('utf8'))]);
}
