/** Devices that answer to HTTP: requests that are made again and again, and one that writes. */
import type { FieldError } from '@skerry/api';
import { choice, integer, mapOf, object, text } from '@skerry/api/definitions';
import { invalid } from '../models/field-errors.ts';
import type { DeviceSpec } from '../resources/device.ts';
import type { Protocol } from './protocol.ts';

const path = (description: string) => text(description, { pattern: '^/', maxLength: 2048 });

export const httpProtocol: Protocol = {
  name: 'http',
  description:
    'HTTP requests to `http://HOST:PORT` or `https://HOST:PORT`. The Secret has `username` and `password`, or `token`; a TrustList has the authorities of the server, where it is none that everybody knows.',
  options: object('How requests are.', {
    headers: mapOf('Are sent with every request.', { type: 'string', maxLength: 4096 }, 32),
    maxAnswerBytes: integer('Longer answers are refused.', { minimum: 1, maximum: 16_777_216, default: 1_048_576 }),
  }),
  address: object(
    'Where in which answer the property is.',
    {
      method: choice('How is asked.', ['GET', 'POST'], 'GET'),
      path: path('What is asked for.'),
      body: text('Is sent along.', { maxLength: 65_536 }),
      field: text('Of a field in the JSON of the answer: `motor.speed`, `values.0`.', { maxLength: 512 }),
      match: text(
        'Regular expression for answers that are no JSON. The value is the group named `value`, else the first group, else all.',
        { maxLength: 512 },
      ),
      write: object(
        'The request that writes it.',
        {
          method: choice('How.', ['PUT', 'POST', 'PATCH'], 'PUT'),
          path: path('Where.'),
          body: text('`{value}` stands for the value as JSON; the value alone without it.', { maxLength: 65_536 }),
        },
        ['path'],
      ),
    },
    ['path'],
  ),
  check: ({ connection, visitors = [] }: DeviceSpec): readonly FieldError[] => {
    const endpoint = connection?.endpoint ?? '';
    return [
      ...(/^https?:\/\/[^/?#@]+\/?$/.test(endpoint)
        ? []
        : [invalid('spec.connection.endpoint', endpoint, 'must be http://HOST:PORT or https://HOST:PORT')]),
      ...visitors.flatMap(({ address: { match } }, at) => {
        const why = expressionError(match);
        return why === undefined ? [] : [invalid(`spec.visitors[${at}].address.match`, match, why)];
      }),
    ];
  },
};

function expressionError(expression: unknown): string | undefined {
  if (typeof expression !== 'string') return undefined;
  try {
    new RegExp(expression, 'u');
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
