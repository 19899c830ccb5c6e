/** Whether a post comes from who it should: compared in constant time, with nothing kept that is of use elsewhere. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { DeviceSettings } from '../../../driver.ts';
import { DriverError } from '../../../driver-error.ts';
import { passwordCheck } from '../../../logins/passwords.ts';

/** One of them is asked: by what comes first, or by the body, too. */
export type Authentication =
  | { readonly by: 'headers'; readonly isRight: (headers: IncomingHttpHeaders) => Promise<boolean> }
  | { readonly by: 'body'; readonly isRight: (headers: IncomingHttpHeaders, body: Uint8Array) => boolean };

/** What a client is told to bring. */
export const CHALLENGE = 'Bearer, Basic realm="device", charset="UTF-8"';

/** Throws `Misconfigured` when the Secret lacks what is to be compared. */
export function authenticationOf(
  { authentication = 'Token', signatureHeader = 'x-hub-signature-256' }: Readonly<Record<string, unknown>>,
  secret: DeviceSettings['secret'],
): Authentication {
  switch (authentication) {
    case 'None':
      return { by: 'headers', isRight: async () => true };
    case 'Basic':
      return basic(textIn(secret, 'webhook-username'), textIn(secret, 'webhook-password'));
    case 'Signature':
      return signature(String(signatureHeader).toLowerCase(), textIn(secret, 'webhook-key'));
    default:
      return token(textIn(secret, 'webhook-token'));
  }
}

function token(expected: string): Authentication {
  const isToken = passwordCheck(expected);
  return {
    by: 'headers',
    isRight: ({ authorization }) => isToken(Buffer.from(credentialsIn(authorization, 'bearer') ?? '')),
  };
}

function basic(username: string, password: string): Authentication {
  const [isUser, isPassword] = [passwordCheck(username), passwordCheck(password)];
  return {
    by: 'headers',
    isRight: async ({ authorization }) => {
      const given = Buffer.from(credentialsIn(authorization, 'basic') ?? '', 'base64');
      const colon = given.indexOf(':');
      const [user, secret] = colon < 0 ? [given, given] : [given.subarray(0, colon), given.subarray(colon + 1)];
      const both = await Promise.all([isUser(user), isPassword(secret)]);
      return colon >= 0 && both.every((each) => each);
    },
  };
}

function signature(header: string, key: string): Authentication {
  return {
    by: 'body',
    isRight: (headers, body) => {
      const expected = createHmac('sha256', key).update(body).digest();
      const given = String(headers[header] ?? '').replace(/^sha256=/i, '');
      const bytes = Buffer.from(given, /^[0-9a-f]{64}$/i.test(given) ? 'hex' : 'base64');
      return bytes.length === expected.length && timingSafeEqual(bytes, expected);
    },
  };
}

function credentialsIn(authorization: string | undefined, scheme: string): string | undefined {
  const [, named, credentials] = /^(\S+) +(\S+)$/.exec(authorization ?? '') ?? [];
  return named?.toLowerCase() === scheme ? credentials : undefined;
}

/** Invariant: an empty secret is none, so that nobody comes by the absence of a header. */
function textIn(secret: DeviceSettings['secret'], key: string): string {
  const text = secret[key] === undefined ? '' : new TextDecoder().decode(secret[key]).trim();
  if (text === '') throw new DriverError('Misconfigured', `the Secret has no ${key}`);
  return text;
}
