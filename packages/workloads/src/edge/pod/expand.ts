/** `$(NAME)` in commands, arguments and values, as Kubernetes expands it: known names only, `$$` is a plain dollar. Pure. */
export function expand(text: string, lookUp: (name: string) => string | undefined): string {
  let result = '';
  for (let index = 0; index < text.length; index++) {
    const next = text[index + 1];
    if (text[index] !== '$' || next === undefined) {
      result += text[index];
      continue;
    }
    if (next === '$') {
      result += '$';
      index++;
      continue;
    }
    const end = next === '(' ? text.indexOf(')', index + 2) : -1;
    if (end < 0) {
      result += '$';
      continue;
    }
    const whole = text.slice(index, end + 1);
    result += lookUp(whole.slice(2, -1)) ?? whole;
    index = end;
  }
  return result;
}
