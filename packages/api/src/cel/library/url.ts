/** `url()`, `isURL()`: absolute URLs and absolute paths, as Go reads them. */
import type { Environment } from '@marcbachmann/cel-js';
import { addFunctions, CelFailure } from './functions.ts';

/** Paths alone are read beside an origin that nobody sees. */
const NOWHERE = 'http://x';

class CelUrl {
  readonly url: URL;
  readonly text: string;
  readonly isPath: boolean;

  constructor(text: string, url: URL) {
    this.text = text;
    this.url = url;
    this.isPath = text.startsWith('/');
  }
}

export function addUrlFunctions(environment: Environment): void {
  const type = 'kubernetes.URL';
  environment.registerType(type, CelUrl);
  environment.registerOperator(`${type} == ${type}`, (left: CelUrl, right: CelUrl) => left.text === right.text);
  addFunctions(environment, {
    [`url(string): ${type}`]: (text: string) => parse(text) ?? fail(text),
    'isURL(string): bool': (text: string) => parse(text) !== undefined,
    [`${type}.getScheme(): string`]: ({ url, isPath }: CelUrl) => (isPath ? '' : url.protocol.slice(0, -1)),
    [`${type}.getHost(): string`]: ({ isPath, text }: CelUrl) => (isPath ? '' : authorityOf(text)),
    [`${type}.getHostname(): string`]: ({ url, isPath }: CelUrl) =>
      isPath ? '' : url.hostname.replace(/^\[|\]$/g, ''),
    [`${type}.getPort(): string`]: ({ text, isPath }: CelUrl) =>
      isPath ? '' : (/:(\d+)$/.exec(authorityOf(text))?.[1] ?? ''),
    [`${type}.getEscapedPath(): string`]: ({ url, text }: CelUrl) =>
      url.pathname === '/' && !/^[^?#]*[^/?#:]\/(?:[?#]|$)|^\//.test(text) ? '' : url.pathname,
    [`${type}.getQuery(): map<string, list<string>>`]: ({ url }: CelUrl) => queryOf(url),
  });
}

function parse(text: string): CelUrl | undefined {
  const isAbsolute = /^[a-zA-Z][a-zA-Z0-9+.-]*:/.test(text);
  if (!isAbsolute && !text.startsWith('/')) return undefined;
  const base = isAbsolute ? undefined : NOWHERE;
  return URL.canParse(text, base) ? new CelUrl(text, new URL(text, base)) : undefined;
}

/** With the port that stands there, also when it is the scheme's own. */
function authorityOf(text: string): string {
  return /^[^:]+:\/\/(?:[^/?#@]*@)?([^/?#]*)/.exec(text)?.[1] ?? '';
}

function queryOf(url: URL): object {
  const query = Object.create(null) as Record<string, string[]>;
  for (const [key, value] of url.searchParams) query[key] = [...(query[key] ?? []), value];
  return query;
}

function fail(text: string): never {
  throw new CelFailure(`URL parse error during conversion from string: ${JSON.stringify(text)} is not a URL`);
}
