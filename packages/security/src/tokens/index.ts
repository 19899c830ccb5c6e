export { type NameUid, SERVICE_ACCOUNT_PREFIX, type ServiceAccountClaims, userOf } from './claims.ts';
export { DISCOVERY_PATH, discoveryDocument, JWKS_PATH, jwks } from './discovery.ts';
export {
  createEdgeIssuer,
  type EdgeIssuer,
  type EdgeIssuerOptions,
  edgeKeyOf,
  type KeyStatement,
  MAX_EDGE_TOKEN_SECONDS,
} from './edge-issuer.ts';
export {
  createTokenIssuer,
  DEFAULT_ISSUER,
  DEFAULT_TOKEN_SECONDS,
  type IssuedToken,
  MAX_TOKEN_SECONDS,
  MIN_TOKEN_SECONDS,
  type TokenGrant,
  type TokenIssuer,
  type TokenIssuerOptions,
} from './issuer.ts';
export { keyIdOf } from './jws.ts';
export {
  createTokenVerifier,
  keysById,
  reviewToken,
  type TokenVerifier,
  type TokenVerifierOptions,
  type VerifiedToken,
} from './verifier.ts';
