/** Passwords of the broker's users: kept as digests, compared in constant time. */
import { createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

/** Resolves with whether it is the one. Takes as long for a right as for a wrong one. */
export type PasswordCheck = (given: Uint8Array) => Promise<boolean>;

const derive = promisify(pbkdf2);

/** `$7$ITERATIONS$SALT$HASH`, both in base64, of PBKDF2 with SHA-512. */
const MOSQUITTO = /^\$7\$(\d{1,7})\$([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+)$/;

export function passwordCheck(kept: string): PasswordCheck {
  const [, iterations, salt, hash] = MOSQUITTO.exec(kept) ?? [];
  if (iterations === undefined || salt === undefined || hash === undefined) return checkDigest(kept);
  const expected = Buffer.from(hash, 'base64');
  return async (given) => {
    const bytes = Buffer.from(salt, 'base64');
    const derived = await derive(given, bytes, Number(iterations), expected.length, 'sha512');
    return timingSafeEqual(derived, expected);
  };
}

/** A key of this run alone: what is in memory is of no use elsewhere. */
function checkDigest(password: string): PasswordCheck {
  const key = randomBytes(32);
  const digest = (text: Uint8Array) => createHmac('sha256', key).update(text).digest();
  const expected = digest(new TextEncoder().encode(password));
  return async (given) => timingSafeEqual(digest(given), expected);
}

/** For a name that nobody has: it is refused like a wrong password. */
export const noPassword: PasswordCheck = passwordCheck(randomBytes(32).toString('hex'));
