/** Passwords of users: kept as digests, compared in constant time. */
import { createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

export interface Passwords {
  /** Invariant: costs the same for every name, also for one that nobody has: as much as the dearest of all. */
  isRight(name: string, given: Uint8Array): Promise<boolean>;
}

export type Derive = (
  given: Uint8Array,
  salt: Uint8Array,
  iterations: number,
  bytes: number,
  digest: 'sha512',
) => Promise<Uint8Array>;

const deriveKey: Derive = promisify(pbkdf2);

interface Check {
  /** Blocks of SHA-512 that are derived, of one iteration each. */
  readonly cost: number;
  isRight(given: Uint8Array): Promise<boolean>;
}

/** By name: the password as it is, or as mosquitto_passwd writes it. */
export function createPasswords(kept: ReadonlyMap<string, string>, derive: Derive = deriveKey): Passwords {
  const checks = new Map([...kept].map(([name, text]) => [name, checkOf(text, derive)]));
  const dearest = Math.max(0, ...[...checks.values()].map(({ cost }) => cost));
  const nobody = digestCheck(randomBytes(32).toString('hex'));
  return {
    isRight: async (name, given) => {
      const check = checks.get(name) ?? nobody;
      const isRight = await check.isRight(given);
      const rest = dearest - check.cost;
      if (rest > 0) await derive(given, SALT, rest, BLOCK_BYTES, 'sha512');
      return isRight;
    },
  };
}

/** For a secret that nobody has a name for. */
export function passwordCheck(kept: string): (given: Uint8Array) => Promise<boolean> {
  const check = checkOf(kept, deriveKey);
  return (given) => check.isRight(given);
}

/** Of what is derived for its cost alone. */
const SALT = randomBytes(12);
const BLOCK_BYTES = 64;

/** `$7$ITERATIONS$SALT$HASH`, both in base64, of PBKDF2 with SHA-512. */
const MOSQUITTO = /^\$7\$([1-9]\d{0,6})\$([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+)$/;

function checkOf(kept: string, derive: Derive): Check {
  const [, iterations, salt, hash] = MOSQUITTO.exec(kept) ?? [];
  if (iterations === undefined || salt === undefined || hash === undefined) return digestCheck(kept);
  const expected = Buffer.from(hash, 'base64');
  const bytes = Buffer.from(salt, 'base64');
  return {
    cost: Number(iterations) * Math.ceil(expected.length / BLOCK_BYTES),
    isRight: async (given) =>
      timingSafeEqual(await derive(given, bytes, Number(iterations), expected.length, 'sha512'), expected),
  };
}

/** A key of this run alone: what is in memory is of no use elsewhere. */
function digestCheck(password: string): Check {
  const key = randomBytes(32);
  const digest = (text: Uint8Array) => createHmac('sha256', key).update(text).digest();
  const expected = digest(new TextEncoder().encode(password));
  return { cost: 0, isRight: async (given) => timingSafeEqual(digest(given), expected) };
}
