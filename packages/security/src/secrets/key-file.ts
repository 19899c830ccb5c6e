/** The key file: one key a line as base64 or hexadecimal, newest first. A data directory remembers which keys it was sealed with. */
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import type { Sealer } from '@skerry/api';
import { type RandomBytes, secureRandom } from '@skerry/base';
import { errors } from '../errors.ts';
import { readOptionalFile, writePrivateFile } from '../pki/private-file.ts';
import { createSealer, SEAL_KEY_BYTES } from './sealer.ts';

export interface KeyFileOptions {
  readonly keyFile: string;
  /** A file in the data directory that holds a sealed known value; it tells a wrong key before any data is touched. */
  readonly checkFile: string;
  readonly random?: RandomBytes;
}

const CHECK_CELL = 'skerry/key-check';
const CHECK_TEXT = 'the key fits';

/** Where a data directory's key is kept inside `keyDirectory`, which is not itself part of the data. */
export function keyFileFor(keyDirectory: string, dataDirectory: string): string {
  const mark = createHash('sha256').update(resolve(dataDirectory)).digest('hex').slice(0, 16);
  return join(keyDirectory, `${mark}.key`);
}

/**
 * Opens the key, or makes one for a data directory that has nothing sealed yet.
 * A missing, empty or wrong key for data that is already sealed refuses to start.
 */
export function openSealer(options: KeyFileOptions): Sealer {
  const { keyFile, checkFile, random = secureRandom } = options;
  const check = readOptionalFile(checkFile);
  const sealer = createSealer(readOrMakeKeys(keyFile, check !== undefined, random), random);
  if (check !== undefined) confirm(sealer, keyFile, check);
  else writePrivateFile(checkFile, Buffer.from(sealer.seal(CHECK_CELL, Buffer.from(CHECK_TEXT))).toString('base64'));
  return sealer;
}

/** Puts a new key first. What was sealed before is still opened with the older ones. */
export function rotateSealKey(options: KeyFileOptions): Sealer {
  openSealer(options);
  const { keyFile, checkFile, random = secureRandom } = options;
  const keys = parseKeys(keyFile, readOptionalFile(keyFile) ?? '');
  const text = [random(SEAL_KEY_BYTES), ...keys].map((key) => Buffer.from(key).toString('base64')).join('\n');
  writePrivateFile(keyFile, `${text}\n`);
  const sealer = openSealer(options);
  writePrivateFile(checkFile, Buffer.from(sealer.seal(CHECK_CELL, Buffer.from(CHECK_TEXT))).toString('base64'));
  return sealer;
}

function readOrMakeKeys(file: string, mustExist: boolean, random: RandomBytes): [Uint8Array, ...Uint8Array[]] {
  const text = readOptionalFile(file);
  if (text !== undefined) return parseKeys(file, text);
  if (mustExist)
    throw errors.SEAL_KEY_INVALID({
      file,
      reason: 'it is missing, and the data was sealed with it; bring it back, or name it with --key-file',
    });
  const key = random(SEAL_KEY_BYTES);
  writePrivateFile(file, `${Buffer.from(key).toString('base64')}\n`);
  return [key];
}

function parseKeys(file: string, text: string): [Uint8Array, ...Uint8Array[]] {
  const [first, ...rest] = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => parseKey(file, line));
  if (!first) throw errors.SEAL_KEY_INVALID({ file, reason: 'it is empty' });
  return [first, ...rest];
}

function parseKey(file: string, line: string): Uint8Array {
  const isHex = /^[0-9a-f]{64}$/i.test(line);
  const key = Buffer.from(line, isHex ? 'hex' : 'base64');
  if (key.length !== SEAL_KEY_BYTES)
    throw errors.SEAL_KEY_INVALID({
      file,
      reason: `a line holds ${key.length} bytes, not 32 as base64 or hexadecimal`,
    });
  if (key.every((byte) => byte === key[0])) throw errors.SEAL_KEY_INVALID({ file, reason: 'every byte is the same' });
  return key;
}

function confirm(sealer: Sealer, file: string, check: string): void {
  try {
    sealer.open(CHECK_CELL, Buffer.from(check, 'base64'));
  } catch (cause) {
    throw errors.SEAL_KEY_WRONG({ file, reason: 'the known value does not open' }, { cause });
  }
}
