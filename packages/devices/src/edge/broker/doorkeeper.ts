/** Who comes to a broker: who they are, whether they are let in, and who is here. */
import type { Socket } from 'node:net';
import type { Clock, Logger } from '@skerry/base';
import type { AedesPublishPacket, AuthenticateError, Client } from 'aedes';
import { isSpoilt } from '../../mqtt/topics.ts';
import { LoginAttempts } from '../logins/login-attempts.ts';
import { type Access, createAccess, type Grant } from './access.ts';
import type { BrokerUser, RejectedPeer } from './config.ts';

export interface DoorkeeperOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly users: readonly BrokerUser[];
  readonly isAnonymousAllowed: boolean;
  /** The user whose session is kept for this client id. */
  readonly ownerOf: (client: string) => string | undefined;
  /** The session that is kept for this client id is this user's from now on. */
  readonly claim: (client: string, user: string) => Promise<void>;
}

/** What is known of a client beyond what aedes knows. */
export interface Guest {
  readonly socket: Socket;
  /** Where it comes from: a socket that is closed knows it no more. */
  readonly peer: string;
  /** Of its certificate. */
  readonly name: string | undefined;
  grant: Grant | undefined;
  isNameless: boolean;
  /** What came while it was given what had waited for it; undefined once it has all of that. */
  waiting: AedesPublishPacket[] | undefined;
  readonly subscriptions: Set<string>;
  /** When its next message may be taken in, by the monotonic clock, where its rate is bounded. */
  nextAt: number;
}

const MAX_REJECTED = 32;

export class Doorkeeper {
  readonly #options: DoorkeeperOptions;
  readonly #guests = new Map<Client, Guest>();
  readonly #byId = new Map<string, Client>();
  /** Also of those that have just left: what they began may still be written. */
  readonly #users = new WeakMap<object, string>();
  readonly #rejected = new Map<string, RejectedPeer>();
  readonly #logins: LoginAttempts;
  #access: Access;
  #refused = 0;

  constructor(options: DoorkeeperOptions) {
    this.#options = options;
    this.#logins = new LoginAttempts(options);
    this.#access = createAccess(options.users, options.isAnonymousAllowed);
  }

  /** With those that have not said yet who they are. */
  get size(): number {
    return this.#guests.size;
  }

  get clients(): number {
    return this.#byId.size;
  }

  get refused(): number {
    return this.#refused;
  }

  get loginsTurnedAway(): number {
    return this.#logins.turnedAway;
  }

  get rejected(): readonly RejectedPeer[] {
    return [...this.#rejected.values()];
  }

  guestOf(client: Client): Guest | undefined {
    return this.#guests.get(client);
  }

  guestNamed(id: string): Guest | undefined {
    const client = this.#byId.get(id);
    return client === undefined ? undefined : this.#guests.get(client);
  }

  userOf(client: object): string | undefined {
    return this.#users.get(client);
  }

  /** Whoever may not do any more what they did is cut off. */
  configure(users: readonly BrokerUser[], isAnonymousAllowed: boolean): void {
    const before = this.#access;
    this.#access = createAccess(users, isAnonymousAllowed);
    for (const [client, { grant }] of this.#guests) {
      if (grant === undefined || before.fingerprint(grant.user) === this.#access.fingerprint(grant.user)) continue;
      this.cut(client, 'what its user may do has changed');
    }
  }

  welcome(client: Client, socket: Socket, name: string | undefined): void {
    this.#guests.set(client, {
      socket,
      peer: socket.remoteAddress ?? '',
      name,
      grant: undefined,
      isNameless: false,
      waiting: undefined,
      subscriptions: new Set(),
      nextAt: 0,
    });
    socket.once('close', () => this.#guests.delete(client));
  }

  /** What aedes does not ask of a client. */
  meets(client: Client, id: string, isClean: boolean): boolean {
    const guest = this.#guests.get(client);
    if (guest === undefined || isSpoilt(id)) {
      this.cut(client, 'its client id is no text');
      return false;
    }
    // A session without a name could never be found again.
    guest.isNameless = id === '' && !isClean;
    guest.waiting = isClean ? undefined : [];
    return true;
  }

  /** Rejects with what the client is answered. */
  async authenticate(client: Client, name: string | undefined, password: Uint8Array | undefined): Promise<void> {
    const guest = this.#guests.get(client);
    if (guest === undefined || guest.isNameless) throw refusal(IDENTIFIER_REJECTED, 'a session without a name');
    const grant = await this.#grantOf(client.id, guest, name, password);
    if (grant === undefined) {
      this.#refused++;
      this.#options.log.warn({ client: client.id, user: guest.name ?? name }, 'client refused');
      throw refusal(NOT_AUTHORIZED, 'not authorized');
    }
    const other = this.guestNamed(client.id)?.grant?.user ?? this.#options.ownerOf(client.id);
    // What a user has left who is one no more is nobody's.
    if (other !== undefined && other !== grant.user && this.#access.isUser(other)) {
      this.#refused++;
      this.#options.log.warn({ client: client.id, user: grant.user }, 'client refused: another user has its id');
      throw refusal(IDENTIFIER_REJECTED, 'another user has this client id');
    }
    await this.#options.claim(client.id, grant.user);
    guest.grant = grant;
    this.#users.set(client, grant.user);
  }

  isIn(client: Client): void {
    this.#byId.set(client.id, client);
  }

  left(client: Client): void {
    if (this.#byId.get(client.id) === client) this.#byId.delete(client.id);
  }

  /** Something that somebody wanted is not done. */
  refuse(): void {
    this.#refused++;
  }

  cut(client: Client, reason: string): void {
    this.#refused++;
    this.#options.log.warn({ client: client.id, reason }, 'client cut off');
    this.#guests.get(client)?.socket.destroy();
  }

  reject(peer: Omit<RejectedPeer, 'seenAt'>): void {
    this.#refused++;
    this.#rejected.delete(peer.thumbprint);
    this.#rejected.set(peer.thumbprint, { ...peer, seenAt: this.#options.clock.now() });
    const [oldest] = this.#rejected.keys();
    if (this.#rejected.size > MAX_REJECTED && oldest !== undefined) this.#rejected.delete(oldest);
  }

  async #grantOf(
    id: string,
    guest: Guest,
    name: string | undefined,
    password: Uint8Array | undefined,
  ): Promise<Grant | undefined> {
    if (guest.name !== undefined) return this.#access.byCertificate(guest.name, id);
    if (name === undefined) return this.#access.anonymous(id);
    if (isSpoilt(name)) return undefined;
    let grant: Grant | undefined;
    await this.#logins.attempt(guest.peer, name, async () => {
      grant = await this.#access.byPassword(name, password ?? new Uint8Array(), id);
      return grant !== undefined;
    });
    return grant;
  }
}

const IDENTIFIER_REJECTED = 2;
const NOT_AUTHORIZED = 5;

function refusal(returnCode: number, message: string): AuthenticateError {
  return Object.assign(new Error(message), { returnCode });
}
