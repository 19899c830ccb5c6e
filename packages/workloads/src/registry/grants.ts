/** Which credentials have opened which repository of another registry: what is kept here goes to nobody whom the registry would refuse. */
import { createHash } from 'node:crypto';
import type { Clock } from '@skerry/base';
import type { RegistryCredentials } from '../images/index.ts';

/** Without another question to the registry. */
const FRESH_MS = 10 * 60_000;
/** While the registry is not reached. */
const STALE_MS = 7 * 86_400_000;
const MAX_GRANTS = 10_000;

export class Grants {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #granted = new Map<string, number>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  add(repository: string, credentials: RegistryCredentials | undefined): void {
    const key = keyOf(repository, credentials);
    this.#granted.delete(key);
    this.#granted.set(key, this.#clock.monotonic());
    const [oldest] = this.#granted.keys();
    if (this.#granted.size > MAX_GRANTS && oldest !== undefined) this.#granted.delete(oldest);
  }

  isFresh(repository: string, credentials: RegistryCredentials | undefined): boolean {
    return this.#ageOf(repository, credentials) < FRESH_MS;
  }

  wasGiven(repository: string, credentials: RegistryCredentials | undefined): boolean {
    return this.#ageOf(repository, credentials) < STALE_MS;
  }

  #ageOf(repository: string, credentials: RegistryCredentials | undefined): number {
    const at = this.#granted.get(keyOf(repository, credentials));
    return at === undefined ? Number.POSITIVE_INFINITY : this.#clock.monotonic() - at;
  }
}

/** No password is held in memory for it. */
function keyOf(repository: string, credentials: RegistryCredentials | undefined): string {
  const hash = createHash('sha256').update(JSON.stringify([repository, credentials ?? null]));
  return hash.digest('base64');
}
