/** Whose the kept sessions are: a client id is a name that anybody may say, a session is its user's alone. */
import type { Entry } from './journal.ts';

export class SessionOwners {
  readonly #users = new Map<string, string>();

  of(client: string): string | undefined {
    return this.#users.get(client);
  }

  restore(client: string, user: string): void {
    this.#users.set(client, user);
  }

  /** Something is kept of the client from now on. The first user of a session keeps it. */
  begin(client: string, user: string | undefined): readonly Entry[] {
    if (user === undefined || this.#users.has(client)) return [];
    this.#users.set(client, user);
    return [{ do: 'own', client, user }];
  }

  /** It is this user's session now: nobody's before, as in the files of older versions, or that of a user who is one no more. */
  claim(client: string, user: string): readonly Entry[] {
    if (this.#users.get(client) === user) return [];
    this.#users.set(client, user);
    return [{ do: 'own', client, user }];
  }

  /** Nothing is kept of the client any more. */
  end(client: string): readonly Entry[] {
    return this.#users.delete(client) ? [{ do: 'own', client, user: undefined }] : [];
  }
}
