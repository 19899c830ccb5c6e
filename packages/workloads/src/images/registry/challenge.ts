/** What a registry asks for when it answers 401. Pure. */

export type Challenge =
  | { readonly scheme: 'basic' }
  | { readonly scheme: 'bearer'; readonly realm: string; readonly service?: string; readonly scope?: string };

/** A header holds no more; what is longer is not looked at. */
const MAX_CHALLENGE_LENGTH = 4096;
const PARAMETER = /(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g;

/** Of a `WWW-Authenticate` header; undefined for schemes that registries do not use. */
export function parseChallenge(header: string): Challenge | undefined {
  if (header.length > MAX_CHALLENGE_LENGTH) return undefined;
  const [, scheme = '', rest = ''] = /^\s*(\w+)\s*(.*)$/s.exec(header) ?? [];
  if (scheme.toLowerCase() === 'basic') return { scheme: 'basic' };
  if (scheme.toLowerCase() !== 'bearer') return undefined;
  const parameters = new Map<string, string>();
  for (const [, name = '', quoted, plain = ''] of rest.matchAll(PARAMETER)) {
    parameters.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? plain);
  }
  const [realm, service, scope] = ['realm', 'service', 'scope'].map((name) => parameters.get(name));
  if (realm === undefined || !URL.canParse(realm)) return undefined;
  return {
    scheme: 'bearer',
    realm,
    ...(service === undefined ? {} : { service }),
    ...(scope === undefined ? {} : { scope }),
  };
}
