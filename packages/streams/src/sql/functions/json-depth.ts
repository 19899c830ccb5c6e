/** How deep JSON may be, wherever it comes from: deeper values would end the stack of whoever walks or saves them. */

export const MAX_JSON_DEPTH = 128;

export function isTooDeep(text: string): boolean {
  return text.length > MAX_JSON_DEPTH && depthOf(text) > MAX_JSON_DEPTH;
}

/** What is no JSON may give any number. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let isInString = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') isInString = !isInString;
    else if (character === '\\') at += 1;
    else if (isInString) continue;
    else if (character === '[' || character === '{') deepest = Math.max(deepest, ++depth);
    else if (character === ']' || character === '}') depth -= 1;
  }
  return deepest;
}
