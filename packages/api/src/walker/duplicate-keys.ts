/** Finds keys that stand twice in one object, in a text that JSON.parse has already accepted. */
import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  endOfString,
  isBeforeColon,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
} from './json-text.ts';

/** Enough for an author to see what is wrong; a body made of duplicates must not make a long answer. */
const MAX_REPORTED = 32;

type Frame =
  | { readonly kind: 'object'; readonly seen: Set<string>; key: string }
  | { readonly kind: 'array'; index: number };

export function findDuplicateKeys(text: string): string[] {
  const found = new Set<string>();
  const frames: Frame[] = [];
  let top: Frame | undefined;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case OPEN_BRACE:
        top = { kind: 'object', seen: new Set(), key: '' };
        frames.push(top);
        break;
      case OPEN_BRACKET:
        top = { kind: 'array', index: 0 };
        frames.push(top);
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        frames.pop();
        top = frames.at(-1);
        break;
      case COMMA:
        if (top?.kind === 'array') top.index++;
        break;
      case QUOTE: {
        const end = endOfString(text, at);
        if (top?.kind === 'object' && isBeforeColon(text, end + 1)) {
          const isRepeated = enterKey(top, unescaped(text.slice(at, end + 1)));
          if (isRepeated && found.size < MAX_REPORTED) found.add(pathOf(frames));
        }
        at = end;
        break;
      }
    }
  }
  return [...found];
}

/** Whether the object had this key before. */
function enterKey(frame: Frame & { readonly kind: 'object' }, key: string): boolean {
  frame.key = key;
  const before = frame.seen.size;
  frame.seen.add(key);
  return frame.seen.size === before;
}

function unescaped(quoted: string): string {
  return quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
}

function pathOf(frames: readonly Frame[]): string {
  return frames
    .map((frame) => (frame.kind === 'array' ? `[${frame.index}]` : `.${frame.key}`))
    .join('')
    .slice(1);
}
