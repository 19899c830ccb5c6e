/** One table of error codes per package. Each code has a heading in docs/reference/errors.md. */

/** Whether doing the same again can help: never, at once, or after a pause. */
export type Retry = 'never' | 'now' | 'backoff';

export interface ErrorSpec {
  /** Operation and subject, with `{name}` for each fact; never the text of the cause. */
  readonly text: string;
  readonly retry: Retry;
  /** The sentence says all that a person needs; the cause is for the log. */
  readonly isWhole?: boolean;
}

export type Facts = Readonly<Record<string, string | number | boolean | undefined>>;

/** An error with a stable code, such as `LINK_FRAME_TOO_LARGE`, and the facts it was made from. */
export class CodedError extends Error {
  override readonly name = 'CodedError';
  readonly code: string;
  readonly retry: Retry;
  readonly facts: Facts;
  readonly isWhole: boolean;

  constructor(code: string, spec: ErrorSpec, facts: Facts, options?: ErrorOptions) {
    super(fill(spec.text, facts), options);
    this.code = code;
    this.retry = spec.retry;
    this.facts = facts;
    this.isWhole = spec.isWhole ?? false;
  }
}

export type ErrorFactory = (facts?: Facts, options?: ErrorOptions) => CodedError;

/** Makes a factory for each code; `errors.PEER_GONE({ node }, { cause })` makes the error, the caller throws it. */
export function defineErrors<const Table extends Record<string, ErrorSpec>>(
  area: string,
  table: Table,
): { readonly [Code in keyof Table]: ErrorFactory } {
  const entries = Object.entries(table).map(([code, spec]): [string, ErrorFactory] => [
    code,
    (facts = {}, options) => new CodedError(`${area}_${code}`, spec, facts, options),
  ]);
  return Object.fromEntries(entries) as { readonly [Code in keyof Table]: ErrorFactory };
}

/** True when `error` is a `CodedError`, of the given code if one is named. */
export function hasCode(error: unknown, code?: string): error is CodedError {
  return error instanceof CodedError && (code === undefined || error.code === code);
}

/** The message of anything that was thrown, for a log field or a status text. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** One line for a person: the sentence, the cause where it says more, and the code to look up, each once. */
export function describeError(error: unknown): string {
  if (!(error instanceof CodedError)) return messageOf(error);
  const sentence = `${error.message}${causeOf(error)}`;
  return CODE.test(sentence) ? sentence : `${sentence} [${error.code}]`;
}

const CODE = /\[[A-Z]+_[A-Z_]+\]/;

function causeOf({ message, cause, isWhole }: CodedError): string {
  if (isWhole || !(cause instanceof Error) || message.includes(cause.message)) return '';
  return `: ${cause.message}`;
}

function fill(text: string, facts: Facts): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in facts ? String(facts[name]) : whole));
}
