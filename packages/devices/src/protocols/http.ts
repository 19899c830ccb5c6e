/** Devices that answer to HTTP, and those that post what they have: requests that are made again and again, one that writes, a webhook. */
import { isIP } from 'node:net';
import type { FieldError } from '@skerry/api';
import { choice, duration, integer, mapOf, object, text } from '@skerry/api/definitions';
import { invalid, required } from '../models/field-errors.ts';
import type { DeviceSpec, Visitor } from '../resources/device.ts';
import { hostnames, listening } from '../resources/serving.ts';
import { patternProblem } from '../values/pattern.ts';
import type { Protocol } from './protocol.ts';

const path = (description: string) => text(description, { pattern: '^/', maxLength: 2048 });

const AUTHENTICATIONS = ['Token', 'Basic', 'Signature', 'None'];

const webhook = object(
  'The device posts here; nobody listens without it. Devices with the same address and port share one listener.',
  {
    ...listening(8443),
    hostnames,
    path: path('Where this device posts to.'),
    security: choice(
      'Tls is with `tls.crt` and `tls.key` of the Secret, and from the site’s identity where it has none. Plain must be asked for.',
      ['Tls', 'Plain'],
      'Tls',
    ),
    authentication: choice(
      'How it shows who it is: `Authorization: Bearer` with `webhook-token` of the Secret, `Basic` with `webhook-username` and `webhook-password`, or HMAC-SHA256 of the body by `webhook-key`. None must be asked for.',
      AUTHENTICATIONS,
      'Token',
    ),
    signatureHeader: text('Has the signature, hexadecimal or base64, with or without `sha256=`.', {
      pattern: '^[A-Za-z0-9-]+$',
      maxLength: 128,
      default: 'x-hub-signature-256',
    }),
    maxBodyBytes: integer('Longer bodies are refused.', { minimum: 1, maximum: 16_777_216, default: 1_048_576 }),
    maxPerSecond: integer('More posts are refused.', { minimum: 1, maximum: 10_000, default: 100 }),
    bodyTimeout: duration('A body that takes longer is cut off.', { default: '10s' }),
  },
  ['path'],
);

export const httpProtocol: Protocol = {
  name: 'http',
  description:
    'HTTP requests to `http://HOST:PORT` or `https://HOST:PORT`, and a webhook that the device posts to. The Secret has `username` and `password`, or `token`; a TrustList has the authorities of the server, where it is none that everybody knows. Redirections are not followed.',
  options: object('How requests are.', {
    headers: mapOf('Are sent with every request.', { type: 'string', maxLength: 4096 }, 32),
    maxAnswerBytes: integer('Longer answers are refused.', { minimum: 1, maximum: 16_777_216, default: 1_048_576 }),
    webhook,
  }),
  address: object('Where in which answer the property is, or where in what is posted.', {
    method: choice('How is asked.', ['GET', 'POST'], 'GET'),
    path: path('What is asked for. Without it the property is in what the device posts.'),
    body: text('Is sent along.', { maxLength: 65_536 }),
    field: text('Of a field in the JSON: `motor.speed`, `values.0`.', { maxLength: 512 }),
    match: text(
      'Regular expression (RE2) for what is no JSON. The value is the group named `value`, else the first group, else all.',
      { maxLength: 512 },
    ),
    timePath: text('Of a field with the time: milliseconds since 1970, or as RFC 3339.', { maxLength: 512 }),
    write: object(
      'The request that writes it.',
      {
        method: choice('How.', ['PUT', 'POST', 'PATCH'], 'PUT'),
        path: path('Where.'),
        body: text('`{value}` stands for the value as JSON; the value alone without it.', { maxLength: 65_536 }),
      },
      ['path'],
    ),
  }),
  servesAs: ({ webhook: given }) => {
    const {
      security,
      address,
      hostnames: names,
    } = (given ?? {}) as {
      readonly security?: string;
      readonly address?: string;
      readonly hostnames?: readonly string[];
    };
    return security === 'Tls' ? { address: address ?? '127.0.0.1', hostnames: names ?? [] } : undefined;
  },
  check: ({ connection = {}, visitors = [] }: DeviceSpec): readonly FieldError[] => {
    const { endpoint, secretName, options = {} } = connection;
    const posts = options['webhook'] as { readonly authentication?: string; readonly address?: string } | undefined;
    const address = posts?.address;
    const needsSecret = posts !== undefined && posts.authentication !== 'None' && secretName === undefined;
    return [
      ...checkEndpoint(endpoint, posts !== undefined),
      ...(address === undefined || isIP(address) !== 0
        ? []
        : [invalid('spec.connection.options.webhook.address', address, 'is no IP address')]),
      ...(needsSecret ? [required('spec.connection.secretName', 'the device shows by it who it is')] : []),
      ...visitors.flatMap((visitor, at) => checkVisitor(visitor, `spec.visitors[${at}]`, posts !== undefined)),
    ];
  },
};

function checkEndpoint(endpoint: string | undefined, isPosting: boolean): readonly FieldError[] {
  if (endpoint === undefined && isPosting) return [];
  return /^https?:\/\/[^/?#@\s]+\/?$/.test(endpoint ?? '')
    ? []
    : [invalid('spec.connection.endpoint', endpoint ?? '', 'must be http://HOST:PORT or https://HOST:PORT')];
}

function checkVisitor({ address, mode }: Visitor, at: string, isPosting: boolean): readonly FieldError[] {
  const why = patternProblem(address['match']);
  const isAsked = address['path'] !== undefined;
  return [
    ...(why === undefined ? [] : [invalid(`${at}.address.match`, address['match'], why)]),
    ...(isAsked || isPosting || mode === 'WriteOnly'
      ? []
      : [required(`${at}.address.path`, 'the connection has no webhook that it could come by')]),
    ...(isAsked && isPosting && mode === 'Subscribe'
      ? [invalid(`${at}.mode`, mode, 'what is asked for has the mode Poll')]
      : []),
  ];
}
