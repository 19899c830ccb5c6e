/** AES-256-GCM envelopes for what is stored: one key file, the newest key seals, every key in it opens. */
import { createCipheriv, createDecipheriv, createHash, createSecretKey, type KeyObject } from 'node:crypto';
import type { Sealer } from '@skerry/api';
import { type RandomBytes, secureRandom } from '@skerry/base';
import { errors } from '../errors.ts';

/** `version(1) keyId(4) nonce(12) ciphertext tag(16)`; the associated data is the first five bytes and the cell's name. */
const VERSION = 1;
const KEY_ID_BYTES = 4;
const HEADER_BYTES = 1 + KEY_ID_BYTES;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const OVERHEAD = HEADER_BYTES + NONCE_BYTES + TAG_BYTES;

export const SEAL_KEY_BYTES = 32;

/** A sealer over raw 32-byte keys, newest first. */
export function createSealer(keys: readonly [Uint8Array, ...Uint8Array[]], random: RandomBytes = secureRandom): Sealer {
  const rings = keys.map((bytes) => ({ id: keyId(bytes), key: createSecretKey(bytes) }));
  const [newest] = rings;
  const byId = new Map(rings.map(({ id, key }) => [id.toString('hex'), key]));
  return {
    seal: (cell, plain) => seal(newest ?? fail(cell, 'no key'), cell, plain, random(NONCE_BYTES)),
    open: (cell, sealed) => {
      if (sealed.length < OVERHEAD || sealed[0] !== VERSION) return fail(cell, 'not a sealed value');
      const id = Buffer.from(sealed.subarray(1, HEADER_BYTES)).toString('hex');
      return open(byId.get(id) ?? fail(cell, `key ${id} is not in the key file`), cell, sealed);
    },
  };
}

/** The envelope's name of a key: says which key to use, and nothing about it. */
function keyId(key: Uint8Array): Buffer {
  return createHash('sha256').update('skerry seal key').update(key).digest().subarray(0, KEY_ID_BYTES);
}

function seal(ring: { id: Buffer; key: KeyObject }, cell: string, plain: Uint8Array, nonce: Uint8Array): Uint8Array {
  const header = Buffer.concat([Buffer.of(VERSION), ring.id]);
  const cipher = createCipheriv('aes-256-gcm', ring.key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(associated(header, cell));
  return Buffer.concat([header, nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function open(key: KeyObject, cell: string, sealed: Uint8Array): Uint8Array {
  const nonce = sealed.subarray(HEADER_BYTES, HEADER_BYTES + NONCE_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(associated(sealed.subarray(0, HEADER_BYTES), cell));
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  const body = sealed.subarray(HEADER_BYTES + NONCE_BYTES, sealed.length - TAG_BYTES);
  try {
    return Buffer.concat([decipher.update(body), decipher.final()]);
  } catch (cause) {
    throw errors.SEALED_INVALID({ cell, reason: 'altered, or moved from another cell' }, { cause });
  }
}

function associated(header: Uint8Array, cell: string): Uint8Array {
  return Buffer.concat([header, Buffer.from(cell, 'utf8')]);
}

function fail(cell: string, reason: string): never {
  throw errors.SEALED_INVALID({ cell, reason });
}
