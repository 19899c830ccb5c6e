/** Unique identifiers. The source of randomness is an argument, so that tests can repeat a run. */

export type RandomBytes = (size: number) => Uint8Array;

/** The platform's cryptographic randomness. */
export const secureRandom: RandomBytes = (size) => crypto.getRandomValues(new Uint8Array(size));

/** A version 4 UUID (RFC 9562 §5.4), as `metadata.uid` has it. */
export function newUid(random: RandomBytes = secureRandom): string {
  const bytes = random(16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

// No vowels and no look-alikes, so that no suffix spells a word: the alphabet Kubernetes uses for generateName.
const SUFFIX_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** A random suffix for generated names; `length` characters of a 27-letter alphabet. */
export function newNameSuffix(length = 5, random: RandomBytes = secureRandom): string {
  const limit = 256 - (256 % SUFFIX_ALPHABET.length);
  let suffix = '';
  while (suffix.length < length) {
    for (const byte of random(length)) {
      // Bytes past the last whole multiple of the alphabet would make its first letters likelier.
      if (byte < limit && suffix.length < length) suffix += SUFFIX_ALPHABET[byte % SUFFIX_ALPHABET.length];
    }
  }
  return suffix;
}
