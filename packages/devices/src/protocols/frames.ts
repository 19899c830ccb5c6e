/** Private protocols of binary or textual frames, by description. */
import type { FieldError } from '@skerry/api';
import { choice, duration, flag, identifier, integer, list, mapOf, object, text } from '@skerry/api/definitions';
import { failedCaptures } from '../frames/captures.ts';
import { CHECKSUM_KINDS } from '../frames/checksum.ts';
import { compileFrames, type Frames, type FramesOptions } from '../frames/description.ts';
import { FramesError } from '../frames/frames-error.ts';
import { STUFFING_KINDS } from '../frames/stuffing.ts';
import { invalid } from '../models/field-errors.ts';
import type { DeviceSpec } from '../resources/device.ts';
import { RAW_TYPES } from '../values/encoding.ts';
import type { Protocol } from './protocol.ts';
import { serialSchema } from './serial-line.ts';

const hex = (description: string) => text(description, { pattern: '^[0-9a-fA-F\\s]*$', maxLength: 16_384 });
const scalar = (description: string) => ({ description, 'x-kubernetes-preserve-unknown-fields': true });
const scalars = (description: string) => mapOf(description, scalar('A number, a text, true or false.'), 64);

const field = {
  name: identifier('Its name.'),
  bytes: hex('Always these bytes, as pairs of hexadecimal digits.'),
  type: choice('What it holds.', RAW_TYPES, 'uint8'),
  byteOrder: choice('Which byte comes first.', ['big', 'little'], 'big'),
  length: integer('Bytes of a text or of bytes; the last field of a message takes what there is without it.', {
    minimum: 1,
    maximum: 65_536,
  }),
  value: scalar('What is sent where nobody says otherwise; what comes must be the same.'),
};

const part = object('One part.', {
  ...field,
  role: choice(
    'What it is for. Length and Checksum are worked out, Sequence counts the exchanges, and Body is the message.',
    ['Field', 'Length', 'Sequence', 'Body', 'Checksum'],
    'Field',
  ),
  counts: choice('What a Length counts: all, what follows it, or the body.', ['Frame', 'Rest', 'Body'], 'Rest'),
  adjust: integer('Is added to a Length to get what it counts.', { minimum: -65_536, maximum: 65_536, default: 0 }),
  kind: choice('Of a Checksum. It is over all that comes before it.', CHECKSUM_KINDS),
  from: integer('Bytes at the beginning of the frame that a Checksum leaves out.', { minimum: 0, default: 0 }),
  hex: flag('A Checksum is sent as hexadecimal digits.', { default: false }),
  crc: object(
    'Parameters where the kind is Crc.',
    {
      width: { ...integer('Bits.'), enum: [8, 16, 32] },
      polynomial: integer('Without its highest bit.', { minimum: 1, maximum: 0xffffffff }),
      initial: integer('Begins with it.', { minimum: 0, maximum: 0xffffffff, default: 0 }),
      finalXor: integer('The result is changed by it.', { minimum: 0, maximum: 0xffffffff, default: 0 }),
      reflected: flag('The lowest bit comes first.', { default: false }),
    },
    ['width', 'polynomial'],
  ),
});

export const framesProtocol: Protocol = {
  name: 'frames',
  description:
    'Private protocols of frames, by description, over TCP (`tcp://HOST:PORT`), UDP (`udp://HOST:PORT`) or a serial line (`serial:///dev/NAME`). The description is in the options, or as YAML or JSON in the ConfigMap of the connection.',
  options: object('How frames and messages are.', {
    file: text('Key in the ConfigMap, where the description is; what stands here counts before it.', {
      maxLength: 253,
    }),
    frame: list('The parts of every frame, in order; one is the Body.', part, 64),
    stuffing: object(
      'Where marks say where a frame begins and ends, and bytes within it that look like marks are escaped. The parts of the frame are then those between the marks, before they are escaped.',
      {
        kind: choice(
          'Slip: c0 ends, db dc and db dd are c0 and db. Hdlc: 7e around, 7d and the byte xor 20. Dle: 10 02 and 10 03 around, 10 twice. Custom: as the other fields say.',
          STUFFING_KINDS,
        ),
        start: hex('Of Custom: what begins a frame; nothing does without it.'),
        end: hex('Of Custom: what ends it.'),
        escape: hex('Of Custom: the byte before one that is replaced.'),
        replace: list(
          'Of Custom: the bytes that are replaced.',
          object('One.', { byte: hex('The byte.'), by: hex('What follows the escape in its place.') }, ['byte', 'by']),
          256,
        ),
        tail: integer('Bytes after the end that belong to the frame and are never escaped, such as a checksum.', {
          minimum: 0,
          maximum: 64,
          default: 0,
        }),
      },
      ['kind'],
    ),
    messages: list(
      'What frames say.',
      object(
        'One message.',
        {
          name: identifier('Its name.'),
          with: scalars('Fields of the frame by which it is known.'),
          body: list('The fields of its body, in order.', object('One field.', field), 1024),
        },
        ['name'],
      ),
      256,
    ),
    requests: list(
      'What the device is asked.',
      object(
        'One request.',
        {
          name: identifier('Its name.'),
          send: identifier('The message that is sent.'),
          answer: identifier('The message that answers; without it, sent is done.'),
          refusal: identifier('The message by which the device refuses.'),
        },
        ['name', 'send'],
      ),
      256,
    ),
    values: scalars('Fields that are the same in all that is sent to this device, such as its station.'),
    identity: list(
      'Fields of `values` that what comes from this device has, too, such as its station: needed where Devices share a line.',
      identifier('A field.'),
      16,
    ),
    secrets: mapOf('Fields whose values are in the Secret, by key.', { type: 'string', maxLength: 253 }, 16),
    keep: list('Fields of answers that are sent from then on, such as a token.', identifier('A field.'), 16),
    start: list('Requests when the connection is there, in order.', identifier('A request.'), 16),
    captures: list(
      'Bytes that were seen on the wire. A description that takes them for something else is refused.',
      object(
        'One.',
        {
          bytes: hex('The bytes.'),
          message: identifier('The message; without it, the bytes are to be none.'),
          fields: scalars('What its fields are, of those that matter.'),
          sent: flag('This is what is sent, with these fields.', { default: false }),
        },
        ['bytes'],
      ),
      256,
    ),
    maxFrameBytes: integer('Longer frames are none.', { minimum: 1, maximum: 65_536, default: 4096 }),
    interval: duration('How often is asked for what is subscribed to and has a request.', { default: '1s' }),
    pause: duration('Silence before each request.'),
    serial: serialSchema,
  }),
  address: object(
    'Where in which message the property is.',
    {
      request: identifier('Is asked for it, and the answer has it.'),
      message: identifier('The message that has it, where the device sends by itself.'),
      field: identifier('The field.'),
      with: scalars('Fields of the request.'),
      write: identifier('The request that writes it.'),
      writeField: identifier('The field of that request; named as the field, without it.'),
    },
    ['field'],
  ),
  command: object(
    'What the command sends: its inputs are fields of the request, its outputs fields of the answer.',
    { request: identifier('The request.'), with: scalars('Fields that are no inputs.') },
    ['request'],
  ),
  check: ({ connection, visitors = [], commands = [] }: DeviceSpec) => {
    const options = (connection?.options ?? {}) as FramesOptions & { readonly file?: string };
    if (options.file !== undefined) return [];
    const path = 'spec.connection.options';
    try {
      const frames = compileFrames(options);
      return [
        ...failedCaptures(frames, options).map((why) => invalid(`${path}.captures`, undefined, why)),
        ...visitors.flatMap(({ address }, at) => addressErrors(frames, address, `spec.visitors[${at}].address`)),
        ...commands.flatMap(({ address }, at) =>
          unknownRequest(frames, address, 'request', `spec.commands[${at}].address`),
        ),
      ];
    } catch (error) {
      if (error instanceof FramesError) return [invalid(path, undefined, error.message)];
      throw error;
    }
  },
};

type Address = Readonly<Record<string, unknown>>;

function addressErrors(frames: Frames, address: Address, path: string): readonly FieldError[] {
  const { message } = address;
  return [
    ...unknownRequest(frames, address, 'request', path),
    ...unknownRequest(frames, address, 'write', path),
    ...(message === undefined || frames.messages.has(String(message))
      ? []
      : [invalid(`${path}.message`, message, 'there is no such message')]),
  ];
}

function unknownRequest(
  frames: Frames,
  address: Address,
  key: 'request' | 'write',
  path: string,
): readonly FieldError[] {
  const name = address[key];
  if (name === undefined || frames.requests.has(String(name))) return [];
  return [invalid(`${path}.${key}`, name, 'there is no such request')];
}
