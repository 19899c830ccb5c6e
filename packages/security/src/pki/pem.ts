/** PEM (RFC 7468): DER as text with a label. */
import { errors } from '../errors.ts';

export function toPem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** The DER of the first block with this label. */
export function fromPem(label: string, text: string): Uint8Array {
  const [first] = allFromPem(label, text);
  if (!first) throw errors.PEM_INVALID({ label });
  return first;
}

/** The DER of every block with this label, in order. */
export function allFromPem(label: string, text: string): Uint8Array[] {
  const begin = `-----BEGIN ${label}-----`;
  const end = `-----END ${label}-----`;
  const blocks: Uint8Array[] = [];
  // Plain searching, not a pattern: hostile text must not make this slow.
  for (let at = text.indexOf(begin); at >= 0; at = text.indexOf(begin, at)) {
    const bodyStart = at + begin.length;
    const bodyEnd = text.indexOf(end, bodyStart);
    if (bodyEnd < 0) break;
    blocks.push(new Uint8Array(Buffer.from(text.slice(bodyStart, bodyEnd), 'base64')));
    at = bodyEnd + end.length;
  }
  return blocks;
}
