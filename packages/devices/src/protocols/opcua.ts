/** OPC UA: connections to servers. */
import type { FieldError } from '@skerry/api';
import { choice, duration, flag, integer, list, mapOf, number, object, text } from '@skerry/api/definitions';
import { invalid, required } from '../models/field-errors.ts';
import type { DeviceSpec } from '../resources/device.ts';
import type { Protocol } from './protocol.ts';

const nodeId = (description: string, limits: object = {}) =>
  text(`${description} \`ns=2;s=NAME\`, or with the URI of the namespace: \`nsu=URI;s=NAME\`.`, {
    pattern: '^((ns=[0-9]+|nsu=[^;]+);)?[isgb]=.+$',
    maxLength: 4096,
    ...limits,
  });

export const opcuaProtocol: Protocol = {
  name: 'opcua',
  description: 'OPC UA over TCP. The endpoint is `opc.tcp://HOST:PORT/PATH`.',
  options: object('How the server is spoken to.', {
    securityMode: choice(
      'What is done to messages. None is neither secret nor safe from change.',
      ['None', 'Sign', 'SignAndEncrypt'],
      'SignAndEncrypt',
    ),
    securityPolicy: choice(
      'With which algorithms.',
      ['Basic256Sha256', 'Aes128_Sha256_RsaOaep', 'Aes256_Sha256_RsaPss'],
      'Basic256Sha256',
    ),
    identity: choice(
      'Who the user is. The Secret has `username` and `password`, or `user.crt` and `user.key` (PEM).',
      ['Anonymous', 'Password', 'Certificate'],
      'Anonymous',
    ),
    unprotectedPassword: flag('A password may go over a connection that is not encrypted.', { default: false }),
    sessionTimeout: duration('After such a silence the server forgets us.', { default: '60s' }),
    resume: duration('So long a lost connection is waited for before the device counts as disconnected.', {
      default: '10s',
    }),
    publishingInterval: duration('How often the server reports changes.', { default: '250ms' }),
    keepAliveCount: integer('After so many intervals without changes the server says that it lives.', {
      minimum: 1,
      maximum: 10_000,
      default: 20,
    }),
    lifetimeCount: integer('After so many intervals without us the server ends the subscription.', {
      minimum: 3,
      maximum: 100_000,
      default: 1200,
    }),
    maxNotifications: integer('Changes in one message; 0: as many as there are.', { minimum: 0, default: 0 }),
    maxNodesPerRead: integer('Values asked for at once, where the server does not say less.', {
      minimum: 1,
      maximum: 50_000,
      default: 10_000,
    }),
  }),
  address: object(
    'Which variable the property is.',
    {
      nodeId: nodeId('Its node.'),
      indexRange: text('Of an array, such as `0:3`.', { pattern: '^[0-9]+(:[0-9]+)?(,[0-9]+(:[0-9]+)?)*$' }),
      samplingInterval: duration('How often the server looks at it; the publishing interval without it.'),
      queueSize: integer('Changes that the server keeps between two reports.', {
        minimum: 1,
        maximum: 100_000,
        default: 10,
      }),
      discardOldest: flag('What a full queue loses: the oldest, or else the newest.', { default: true }),
      trigger: choice('What counts as a change.', ['Status', 'StatusValue', 'StatusValueTimestamp'], 'StatusValue'),
      absoluteDeadband: number('Smaller changes are not reported.', { minimum: 0 }),
      percentDeadband: number('Likewise, in percent of the variable’s range.', { minimum: 0, maximum: 100 }),
    },
    ['nodeId'],
  ),
  command: object(
    'Which method the command is.',
    { objectId: nodeId('The object that it is called on.'), methodId: nodeId('The method.') },
    ['objectId', 'methodId'],
  ),
  event: object('Which events are meant.', {
    notifier: nodeId('The object that reports them.', { default: 'i=2253' }),
    eventType: nodeId('Only of this type, and of those below it.', { default: 'i=2041' }),
    minimumSeverity: integer('Only from this severity on.', { minimum: 0, maximum: 1000, default: 0 }),
    fields: mapOf(
      'Where the fields of the model are, as `Message` or `2:Part/2:Serial`; without it, under their own names.',
      { type: 'string', maxLength: 512 },
      64,
    ),
  }),
  scan: object('What is looked at beside the endpoint of the connection.', {
    servers: flag('Also the servers that the endpoint names.', { default: true }),
    addressSpace: flag('Also the variables of a server; needs an identity that may.', { default: true }),
    from: nodeId('Where its tree begins.', { default: 'i=85' }),
    depth: integer('How deep it is followed.', { minimum: 1, maximum: 32, default: 6 }),
    exclude: list('Nodes whose trees are left out.', nodeId('One node.'), 256),
  }),
  check: ({ connection }: DeviceSpec): readonly FieldError[] => {
    const errors: FieldError[] = [];
    const { endpoint = '', options = {}, secretName } = connection ?? {};
    if (!/^opc\.tcp:\/\/[^/]+/.test(endpoint))
      errors.push(invalid('spec.connection.endpoint', endpoint, 'must be opc.tcp://HOST:PORT'));
    const { securityMode, identity = 'Anonymous', unprotectedPassword } = options;
    if (identity !== 'Anonymous' && secretName === undefined)
      errors.push(required('spec.connection.secretName', `the identity ${String(identity)} is in a Secret`));
    if (identity === 'Password' && securityMode === 'None' && unprotectedPassword !== true)
      errors.push(
        invalid(
          'spec.connection.options.securityMode',
          'None',
          'a password needs a protected connection, or options.unprotectedPassword',
        ),
      );
    return errors;
  },
};
