import { defineErrors } from '@skerry/base';

/** What can go wrong in security, apart from answers to API clients, which are StatusErrors. */
export const errors = defineErrors('SECURITY', {
  DER_INVALID: { text: 'DER structure is not valid: {what}', retry: 'never' },
  PEM_INVALID: { text: 'PEM text holds no {label}', retry: 'never' },
  CERTIFICATE_REFUSED: { text: 'certificate of {subject} is refused: {reason}', retry: 'never' },
  CSR_REFUSED: { text: 'certificate request is refused: {reason}', retry: 'never' },
  KEY_MISMATCH: { text: 'private key in {file} does not belong to its certificate', retry: 'never' },
  PKI_UNREADABLE: { text: 'identity file {file} cannot be read', retry: 'never' },
  TOKEN_MALFORMED: { text: 'join token is malformed: {reason}', retry: 'never' },
  TOKEN_FOR_ANOTHER: {
    text: "this join token is for {wanted}, not for {node}; make one with 'skerry token create --node {node}'",
    retry: 'never',
  },
  CA_HASH_DIFFERS: {
    text: 'cloud at {address} has CA {actual}, the join token names {expected}; the token was not sent',
    retry: 'never',
  },
  CLOUD_UNREACHABLE: { text: 'no cloud answered at {addresses}', retry: 'backoff' },
  ENROLMENT_REFUSED: { text: 'cloud refused to let node {node} join with status {status}: {reason}', retry: 'never' },
  RENEWAL_REFUSED: { text: 'cloud refused to renew node {node} with status {status}: {reason}', retry: 'backoff' },
  REPLY_INVALID: { text: 'reply of the cloud to {request} is not valid: {reason}', retry: 'backoff' },
  JWT_REFUSED: { text: 'service account token is refused: {reason}', retry: 'never' },
  SEAL_KEY_INVALID: {
    text: 'encryption key file {file} cannot be used: {reason}',
    retry: 'never',
  },
  SEAL_KEY_WRONG: {
    text: 'encryption key in {file} is not the one that the data was sealed with: {reason}',
    retry: 'never',
  },
  SEALED_INVALID: { text: 'sealed value of {cell} cannot be opened: {reason}', retry: 'never' },
  PASSPHRASE_WRONG: { text: 'passphrase does not open this file, or the file was altered', retry: 'never' },
  AUDIT_WRITE: { text: 'audit log in {directory} cannot be written', retry: 'backoff' },
});
