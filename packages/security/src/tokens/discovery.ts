/** The two documents by which others verify our tokens: OIDC discovery and the key set (RFC 7517). */
import type { KeyObject } from 'node:crypto';
import { publicJwk } from './jws.ts';

export const JWKS_PATH = '/openid/v1/jwks';
export const DISCOVERY_PATH = '/.well-known/openid-configuration';

export function jwks(keys: Iterable<KeyObject>): { readonly keys: readonly object[] } {
  return { keys: Array.from(keys, publicJwk) };
}

export function discoveryDocument(issuer: string, apiAddress: string): object {
  return {
    issuer,
    jwks_uri: `${apiAddress}${JWKS_PATH}`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  };
}
