/** The words and symbols of a label selector. */

export interface Token {
  readonly kind: 'word' | 'symbol' | 'end';
  readonly text: string;
}

const SYMBOL = /^(?:==|!=|[!=<>(),])/;
const WORD = /^[^\s!=<>(),]+/;

export function lexSelector(text: string): Token[] {
  const tokens: Token[] = [];
  let rest = text.trimStart();
  while (rest !== '') {
    const symbol = SYMBOL.exec(rest)?.[0];
    const word = symbol === undefined ? WORD.exec(rest)?.[0] : undefined;
    const found = symbol ?? word ?? '';
    tokens.push({ kind: symbol === undefined ? 'word' : 'symbol', text: found });
    rest = rest.slice(found.length).trimStart();
  }
  return tokens;
}
