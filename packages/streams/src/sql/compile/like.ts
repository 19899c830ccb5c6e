/** `LIKE`: % stands for any characters, _ for one, a backslash takes their meaning away. Linear in text and pattern, never more. */

const ANY = Symbol('%');
const ONE = Symbol('_');

type Piece = string | typeof ANY | typeof ONE;

export function likeMatcher(pattern: string): (text: string) => boolean {
  const pieces = piecesOf(pattern);
  const plain = pieces.filter((piece) => typeof piece === 'string').join('');
  const shape = pieces.map((piece) => (piece === ANY ? '%' : piece === ONE ? '_' : 'x')).join('');
  if (/^x*$/.test(shape)) return (text) => text === plain;
  if (/^x+%$/.test(shape)) return (text) => text.startsWith(plain);
  if (/^%x+$/.test(shape)) return (text) => text.endsWith(plain);
  if (/^%x+%$/.test(shape)) return (text) => text.includes(plain);
  return (text) => matches(Array.from(text), pieces);
}

function piecesOf(pattern: string): Piece[] {
  const pieces: Piece[] = [];
  const characters = Array.from(pattern);
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? '';
    const next = characters[at + 1];
    if (character === '\\' && next !== undefined && '%_\\'.includes(next)) {
      pieces.push(next);
      at += 1;
    } else if (character === '%') {
      if (pieces.at(-1) !== ANY) pieces.push(ANY);
    } else pieces.push(character === '_' ? ONE : character);
  }
  return pieces;
}

/** Goes back to the last % only: what was before it cannot match better. */
function matches(text: readonly string[], pieces: readonly Piece[]): boolean {
  let at = 0;
  let piece = 0;
  let lastAny = -1;
  let resume = 0;
  while (at < text.length) {
    const wanted = pieces[piece];
    if (wanted === ANY) {
      lastAny = piece++;
      resume = at;
    } else if (piece < pieces.length && (wanted === ONE || wanted === text[at])) {
      piece += 1;
      at += 1;
    } else if (lastAny >= 0) {
      piece = lastAny + 1;
      at = ++resume;
    } else return false;
  }
  while (pieces[piece] === ANY) piece += 1;
  return piece === pieces.length;
}
