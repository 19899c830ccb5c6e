/** Devices that speak in lines of text: scales, balances, loggers, instruments. */
import type { FieldError } from '@skerry/api';
import { choice, duration, flag, integer, object, text } from '@skerry/api/definitions';
import { invalid } from '../models/field-errors.ts';
import type { DeviceSpec } from '../resources/device.ts';
import { patternProblem } from '../values/pattern.ts';
import type { Protocol } from './protocol.ts';
import { serialSchema } from './serial-line.ts';

const EXPRESSION = { maxLength: 512 };

export const textLinesProtocol: Protocol = {
  name: 'text-lines',
  description:
    'Lines of text over TCP (`tcp://HOST:PORT`) or a serial line (`serial:///dev/NAME`): asked for, or sent by the device by itself.',
  options: object('How the lines are.', {
    delimiter: text('What ends a line, here and there.', { minLength: 1, maxLength: 8, default: '\n' }),
    charset: choice('How characters are bytes.', ['utf-8', 'latin1'], 'utf-8'),
    separator: text('What parts the fields of a line.', { minLength: 1, maxLength: 8, default: ',' }),
    maxLineBytes: integer('Longer lines are left out, and counted as lost.', {
      minimum: 1,
      maximum: 65_536,
      default: 4096,
    }),
    greeting: text('Is sent when the connection is there, so that the device begins.'),
    hasEcho: flag('The device sends back what it is asked, before it answers.'),
    interval: duration('How often is asked for what is subscribed to and has a request.', { default: '1s' }),
    pause: duration('Silence before each request.'),
    serial: serialSchema,
  }),
  address: object('Where in which line the property is.', {
    request: text('Is sent to ask; the next line answers. Without it, the device sends by itself.', { minLength: 1 }),
    match: text(
      'Regular expression (RE2) of the lines that have the property. The value is the group named `value`, else the first group, else all.',
      EXPRESSION,
    ),
    field: integer('In the place of a group: which field, from 1.', { minimum: 1, maximum: 4096 }),
    write: text('What writes it: `{value}` stands for the value.'),
    acknowledge: text(
      'Regular expression (RE2) of the line that says it is written; without it, sent is written.',
      EXPRESSION,
    ),
  }),
  check: checkTextLines,
};

function checkTextLines({ visitors = [] }: DeviceSpec): readonly FieldError[] {
  return visitors.flatMap(({ address }, at) => [
    ...(['match', 'acknowledge'] as const).flatMap((field) => {
      const why = patternProblem(address[field]);
      return why === undefined ? [] : [invalid(`spec.visitors[${at}].address.${field}`, address[field], why)];
    }),
    ...(typeof address['write'] === 'string' && !address['write'].includes('{value}')
      ? [invalid(`spec.visitors[${at}].address.write`, address['write'], 'must say with {value} where the value is')]
      : []),
  ]);
}
