/** The connection to one server: opened once, regained by the library for a while when it is lost, then ended for good. */
import type { Clock, Logger } from '@skerry/base';
import { type ClientSession, OPCUAClient, type UserIdentityInfo } from 'node-opcua-client';
import { DriverError } from '../../driver-error.ts';
import { errorOf } from './status.ts';
import { type ConnectionTerms, clientOptions } from './terms.ts';

export interface LinkContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export async function openLink(terms: ConnectionTerms, context: LinkContext): Promise<Link> {
  const client = OPCUAClient.create(clientOptions(terms));
  const giveUp = () => void client.disconnect().catch(() => {});
  context.signal.addEventListener('abort', giveUp, { once: true });
  try {
    await client.connect(terms.endpoint);
    const session = await client.createSession(terms.identity as UserIdentityInfo);
    const link = new Link(client, session, terms, context);
    if (context.signal.aborted) throw new DriverError('Closed', 'the connection was given up');
    return link;
  } catch (thrown) {
    await client.disconnect().catch(() => {});
    throw whyNotConnected(thrown, terms);
  } finally {
    context.signal.removeEventListener('abort', giveUp);
  }
}

function whyNotConnected(thrown: unknown, { endpoint, refused, security }: ConnectionTerms): DriverError {
  const refusal = refused();
  if (refusal !== undefined)
    return new DriverError('AccessDenied', `the server's certificate ${refusal.reason}`, { cause: thrown });
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (/cannot find end ?point|no (suitable )?end ?point/i.test(message))
    return new DriverError('Misconfigured', `the server offers no ${security} at ${endpoint}`, { cause: thrown });
  if (/BadUserAccessDenied|BadIdentityToken/.test(message))
    return new DriverError('AccessDenied', 'the server does not know this user, or the password is wrong', {
      cause: thrown,
    });
  const error = errorOf(thrown);
  if (error.kind !== 'Unreachable') return error;
  return new DriverError('Unreachable', `no connection to ${endpoint}: ${firstLine(message)}`, { cause: thrown });
}

function firstLine(message: string): string {
  return message.split('\n')[0] ?? message;
}

export class Link {
  readonly session: ClientSession;
  readonly #client: OPCUAClient;
  readonly #terms: ConnectionTerms;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #ended = Promise.withResolvers<DriverError | undefined>();
  readonly #ending = new AbortController();
  #end: DriverError | undefined;
  /** While the connection is lost, and until it is regained. */
  #regained: PromiseWithResolvers<void> | undefined;

  constructor(client: OPCUAClient, session: ClientSession, terms: ConnectionTerms, { clock, log }: LinkContext) {
    this.#client = client;
    this.session = session;
    this.#terms = terms;
    this.#clock = clock;
    this.#log = log;
    client.on('connection_lost', () => this.#onLost());
    client.on('after_reconnection', (error) => {
      if (error === null || error === undefined) this.#onRegained();
    });
    client.on('close', (error) =>
      this.end(new DriverError('Unreachable', error?.message ?? 'the connection was closed')),
    );
    session.on('session_closed', (status) =>
      this.end(new DriverError('Unreachable', `the server has ended the session: ${status.name}`)),
    );
  }

  get ended(): Promise<DriverError | undefined> {
    return this.#ended.promise;
  }

  /** Aborts with the end. */
  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  /** One request: sent only while there is a connection, and waited for so long as the settings say. */
  async ask<T>(signal: AbortSignal, send: (session: ClientSession) => Promise<T>, patience = 1): Promise<T> {
    const timeoutMs = this.#terms.timeoutMs * patience;
    const late = new DriverError('TimedOut', `no answer within ${timeoutMs} ms`);
    const limit = Promise.withResolvers<never>();
    const timer = this.#clock.after(timeoutMs, () => limit.reject(late));
    const stop = () =>
      limit.reject(
        this.#end ?? new DriverError('Closed', signal.aborted ? 'the request was given up' : 'the session is closed'),
      );
    const either = AbortSignal.any([signal, this.#ending.signal]);
    either.addEventListener('abort', stop, { once: true });
    if (either.aborted) stop();
    try {
      await Promise.race([this.#regained?.promise, limit.promise]);
      return await Promise.race([send(this.session), limit.promise]);
    } catch (thrown) {
      throw errorOf(thrown);
    } finally {
      timer.cancel();
      either.removeEventListener('abort', stop);
    }
  }

  /** Before the first structure is read or written, once: what the server's own types look like takes many requests. */
  async learnTypes(signal: AbortSignal): Promise<void> {
    this.#types ??= this.session.extractNamespaceDataType();
    this.#types.catch(() => {
      this.#types = undefined;
    });
    const learnt = this.#types;
    await this.ask(signal, () => learnt, LEARNING_PATIENCE);
  }

  end(error: DriverError | undefined): void {
    if (this.#ending.signal.aborted) return;
    this.#end = error;
    this.#ending.abort();
    this.#ended.resolve(error);
    void this.#leave();
  }

  async close(): Promise<void> {
    this.end(undefined);
    await this.#leave();
  }

  #types: Promise<unknown> | undefined;
  #leaving: Promise<void> | undefined;

  #leave(): Promise<void> {
    this.#leaving ??= this.#disconnect();
    return this.#leaving;
  }

  /** A server that does not answer is not waited for: what is still under way to it ends by the library's own limits. */
  async #disconnect(): Promise<void> {
    const waited = new AbortController();
    const leaving = (async () => {
      await this.session.close(true).catch(() => {});
      await this.#client.disconnect().catch(() => {});
      waited.abort();
    })();
    await Promise.race([leaving, this.#clock.sleep(LEAVE_MS, waited.signal).catch(() => {})]);
    if (!waited.signal.aborted) void this.#client.disconnect().catch(() => {});
  }

  #onLost(): void {
    if (this.#regained !== undefined || this.#ending.signal.aborted) return;
    const regained = Promise.withResolvers<void>();
    this.#regained = regained;
    const { resumeMs } = this.#terms;
    this.#log.info({ resumeMs }, 'connection to the server lost');
    this.#clock.after(
      resumeMs,
      () => {
        if (this.#regained === regained)
          this.end(new DriverError('Unreachable', `the connection was lost, and not regained within ${resumeMs} ms`));
      },
      { unref: true },
    );
  }

  #onRegained(): void {
    this.#log.info({}, 'connection to the server regained');
    this.#regained?.resolve();
    this.#regained = undefined;
  }
}

const LEAVE_MS = 1000;
/** Times the time that one request may take. */
const LEARNING_PATIENCE = 20;
