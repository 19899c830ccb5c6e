/** The `Authorization` header that a registry wants: a password, or a token of the service it names. */
import type { Clock } from '@skerry/base';
import type { RegistryCredentials } from '../contract.ts';
import { imageErrors } from '../errors.ts';
import type { Challenge } from './challenge.ts';
import { type Answer, type Ask, type ExchangeContext, exchange } from './exchange.ts';

const MAX_TOKEN_ANSWER_BYTES = 1024 * 1024;
const MAX_KEPT = 256;
/** As the token specification says where none is named. */
const DEFAULT_TOKEN_SECONDS = 60;
/** A token that is about to expire is not used any more. */
const MARGIN_SECONDS = 10;

interface Kept {
  readonly header: string;
  readonly expiresAt: number;
}

/** What worked, by registry, repository and credentials. */
export class Authorizations {
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  find(key: string): string | undefined {
    const kept = this.#kept.get(key);
    if (kept !== undefined && kept.expiresAt > this.#clock.monotonic()) return kept.header;
    this.#kept.delete(key);
    return undefined;
  }

  keep(key: string, header: string, seconds: number): void {
    const [oldest] = this.#kept.keys();
    if (this.#kept.size >= MAX_KEPT && oldest !== undefined) this.#kept.delete(oldest);
    this.#kept.set(key, { header, expiresAt: this.#clock.monotonic() + (seconds - MARGIN_SECONDS) * 1000 });
  }

  forget(key: string): void {
    this.#kept.delete(key);
  }
}

export interface Granted {
  readonly header: string;
  readonly seconds: number;
}

export interface Wish {
  readonly challenge: Challenge;
  readonly credentials: RegistryCredentials | undefined;
  /** `library/web`; what is asked for is to read it. */
  readonly repository: string;
  readonly what: string;
}

/** Throws UNAUTHORIZED when nobody grants it. */
export async function authorize(context: ExchangeContext, wish: Wish): Promise<Granted> {
  const { challenge, credentials, what } = wish;
  const { where } = context;
  if (credentials?.registryToken !== undefined) return forLong(`Bearer ${credentials.registryToken}`);
  if (challenge.scheme === 'bearer') return await fetchToken(context, challenge, wish);
  if (credentials !== undefined) return forLong(basic(credentials));
  throw imageErrors.UNAUTHORIZED({ where, what, problem: 'it wants a name and a password (imagePullSecrets)' });
}

async function fetchToken(
  context: ExchangeContext,
  challenge: Challenge & { readonly scheme: 'bearer' },
  { credentials, repository, what }: Wish,
): Promise<Granted> {
  const scope = challenge.scope ?? `repository:${repository}:pull`;
  const answer = await exchange(context, askForToken(challenge, scope, credentials));
  if (answer.status !== 200) throw refused(context, answer, { what, hasCredentials: credentials !== undefined });
  const body = await answer.whole(MAX_TOKEN_ANSWER_BYTES, 'answer of the token service');
  const { token, access_token: accessToken, expires_in: seconds } = fieldsOf(body);
  const given = token ?? accessToken;
  if (typeof given !== 'string' || !/^[\x21-\x7e]+$/.test(given)) {
    const problem = 'the token service that it names sent no token';
    throw imageErrors.BAD_ANSWER({ where: context.where, what, problem });
  }
  return { header: `Bearer ${given}`, seconds: typeof seconds === 'number' ? seconds : DEFAULT_TOKEN_SECONDS };
}

/** An identity token is exchanged by a form, a password is shown as one. */
function askForToken(
  { realm, service }: Challenge & { readonly scheme: 'bearer' },
  scope: string,
  credentials: RegistryCredentials | undefined,
): Ask {
  const named = { ...(service === undefined ? {} : { service }), scope };
  if (credentials?.identityToken !== undefined) {
    const form = {
      ...named,
      grant_type: 'refresh_token',
      client_id: 'skerry',
      refresh_token: credentials.identityToken,
    };
    return { method: 'POST', url: new URL(realm), headers: {}, form: new URLSearchParams(form).toString() };
  }
  const url = new URL(realm);
  for (const [name, value] of Object.entries(named)) url.searchParams.set(name, value);
  const ask = { method: 'GET', url, headers: {} } as const;
  return credentials === undefined ? ask : { ...ask, authorization: basic(credentials) };
}

function refused(
  { where }: ExchangeContext,
  answer: Answer,
  { what, hasCredentials }: { readonly what: string; readonly hasCredentials: boolean },
): Error {
  answer.drop();
  const { status } = answer;
  if (status >= 500 || status === 429) {
    return imageErrors.UNAVAILABLE({ where, what, problem: `its token service answered ${status}` });
  }
  const problem = hasCredentials ? 'the credentials are not accepted' : 'it wants credentials (imagePullSecrets)';
  return imageErrors.UNAUTHORIZED({ where, what, problem });
}

function fieldsOf(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    // Said by the caller: there is no token in it.
    return {};
  }
}

function basic({ username, password }: RegistryCredentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** Until it is refused. */
function forLong(header: string): Granted {
  return { header, seconds: 86_400 };
}
