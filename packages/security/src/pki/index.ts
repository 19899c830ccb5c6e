export {
  type Certificate,
  certificateFromPem,
  certificateToPem,
  fingerprint,
  parseCertificate,
  publicKeyOf,
  type Usage,
} from './certificate.ts';
export { type CertificateRequest, createCsr, MAX_CSR_BYTES, parseCsr } from './csr.ts';
export {
  type Authority,
  BACKDATE_MS,
  type Credential,
  clientProfile,
  createAuthority,
  credentialToPem,
  DAY_MS,
  exportPublicKey,
  type IssueContext,
  isKeyOf,
  issue,
  issueCredential,
  issuedAt,
  newPrivateKey,
  type Profile,
  privateKeyFromPem,
  privateKeyToPem,
  type ServerProfileOptions,
  serverProfile,
  type Validity,
  validFor,
  YEAR_MS,
} from './issue.ts';
export { type AlternativeNames, type Subject, splitHostNames } from './names.ts';
export { openPki, type Pki, type PkiOptions } from './open-pki.ts';
export { allFromPem, fromPem, toPem } from './pem.ts';
export { readOptionalFile, writePrivateFile } from './private-file.ts';
export { isSignedBy, type Refusal, refusalOf, type VerifyOptions } from './verify.ts';
