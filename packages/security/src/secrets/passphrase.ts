/** What a backup holds of the CA and the seal key: readable only with the passphrase it was made with. */
import { createCipheriv, createDecipheriv, scrypt } from 'node:crypto';
import { type RandomBytes, secureRandom } from '@skerry/base';
import { errors } from '../errors.ts';

/** `magic(8) log2N(1) r(1) p(1) salt(16) nonce(12) ciphertext tag(16)`; everything before the ciphertext is associated data. */
const MAGIC = Buffer.from('SKERRYP1', 'latin1');
const SALT_AT = MAGIC.length + 3;
const NONCE_AT = SALT_AT + 16;
const HEADER_BYTES = NONCE_AT + 12;
const TAG_BYTES = 16;

interface Cost {
  readonly logN: number;
  readonly r: number;
  readonly p: number;
}

/** 32 MiB and about 0.2 s: as strong as the common recommendation of 128 MiB, kinder to a small machine. */
const COST: Cost = { logN: 15, r: 8, p: 3 };
// The cost is read from the file, so a hostile file must not be able to ask for all the memory there is.
const LIMIT: Cost = { logN: 17, r: 8, p: 4 };

export async function sealWithPassphrase(
  passphrase: string,
  plain: Uint8Array,
  random: RandomBytes = secureRandom,
): Promise<Uint8Array> {
  const header = Buffer.concat([MAGIC, Buffer.of(COST.logN, COST.r, COST.p), random(16), random(12)]);
  const key = await deriveKey(passphrase, header.subarray(SALT_AT, NONCE_AT), COST);
  const cipher = createCipheriv('aes-256-gcm', key, header.subarray(NONCE_AT), { authTagLength: TAG_BYTES });
  cipher.setAAD(header);
  return Buffer.concat([header, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Throws PASSPHRASE_WRONG for a wrong passphrase and for altered bytes alike: nothing can tell them apart. */
export async function openWithPassphrase(passphrase: string, sealed: Uint8Array): Promise<Uint8Array> {
  const header = Buffer.from(sealed.subarray(0, HEADER_BYTES));
  if (sealed.length < HEADER_BYTES + TAG_BYTES || !header.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw errors.PASSPHRASE_WRONG();
  }
  const key = await deriveKey(passphrase, header.subarray(SALT_AT, NONCE_AT), readCost(header));
  const decipher = createDecipheriv('aes-256-gcm', key, header.subarray(NONCE_AT), { authTagLength: TAG_BYTES });
  decipher.setAAD(header);
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  try {
    const body = sealed.subarray(HEADER_BYTES, sealed.length - TAG_BYTES);
    return Buffer.concat([decipher.update(body), decipher.final()]);
  } catch (cause) {
    throw errors.PASSPHRASE_WRONG({}, { cause });
  }
}

function readCost(header: Uint8Array): Cost {
  const [logN = 0, r = 0, p = 0] = header.subarray(MAGIC.length, SALT_AT);
  const isSane = logN >= 10 && logN <= LIMIT.logN && r >= 1 && r <= LIMIT.r && p >= 1 && p <= LIMIT.p;
  if (!isSane) throw errors.PASSPHRASE_WRONG();
  return { logN, r, p };
}

function deriveKey(passphrase: string, salt: Uint8Array, { logN, r, p }: Cost): Promise<Buffer> {
  if (passphrase === '') throw errors.PASSPHRASE_WRONG();
  const cost = { N: 2 ** logN, r, p, maxmem: 256 * 2 ** logN * r };
  return new Promise((resolve, reject) => {
    scrypt(passphrase.normalize('NFC'), salt, 32, cost, (error, key) => (error ? reject(error) : resolve(key)));
  });
}
