/** Bytes as people write them. Pure. */

/** `02 0d`, however spaced; undefined when it is none. */
export function hexBytes(text: string): Uint8Array | undefined {
  const digits = text.replace(/\s+/g, '');
  return /^([0-9a-fA-F]{2})*$/.test(digits) ? new Uint8Array(Buffer.from(digits, 'hex')) : undefined;
}

export function hexText(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/..(?=.)/g, '$& ');
}
