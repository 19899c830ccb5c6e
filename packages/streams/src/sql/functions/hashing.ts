/** Checksums and digests of text, as hexadecimal digits. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { STRING } from '../data-type.ts';
import { string } from './parameters.ts';
import { type ScalarFunction, scalar } from './specification.ts';

function digest(name: string): ScalarFunction {
  const summary = `The ${name.toUpperCase().replace('SHA', 'SHA-')} digest of the text, in hexadecimal.`;
  return scalar('hashing', name, [string('text')], STRING, summary, (text) =>
    createHash(name).update(text).digest('hex'),
  );
}

export const HASHING: readonly ScalarFunction[] = [
  scalar('hashing', 'crc32', [string('text')], STRING, 'The CRC-32 checksum of the text, in hexadecimal.', (text) =>
    crc32(text).toString(16),
  ),
  ...['md5', 'sha1', 'sha256', 'sha384', 'sha512'].map(digest),
];
