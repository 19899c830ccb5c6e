/** Modbus: TCP, and RTU and ASCII over serial lines or gateways. */
import type { FieldError } from '@skerry/api';
import { choice, duration, flag, integer, list, object } from '@skerry/api/definitions';
import { invalid } from '../models/field-errors.ts';
import type { DeviceSpec } from '../resources/device.ts';
import type { Protocol } from './protocol.ts';
import { serialSchema } from './serial-line.ts';

const ADDRESS = { minimum: 0, maximum: 65_535 };
const UNIT = { minimum: 0, maximum: 255 };

export const modbusProtocol: Protocol = {
  name: 'modbus',
  description:
    'Modbus TCP (`tcp://HOST:PORT`), and RTU or ASCII over a serial line (`serial:///dev/NAME`) or a gateway. Devices with the same endpoint share its connection or line.',
  options: object('How the device is spoken to.', {
    unit: integer('Unit id; on a serial line, 0 is everybody, and only written to.', { ...UNIT, default: 1 }),
    framing: choice(
      'TCP for tcp, RTU for serial, where it is not said. RTU and ASCII over tcp are what gateways speak.',
      ['TCP', 'RTU', 'ASCII'],
    ),
    serial: serialSchema,
    pause: duration('Silence before each request; of 3.5 characters on a serial line, where it is not said.'),
    connections: integer('Connections to the endpoint, where the device takes several.', {
      minimum: 1,
      maximum: 16,
      default: 1,
    }),
    pipeline: integer(
      'Requests that may be on their way at once on a TCP connection, where the device takes several.',
      {
        minimum: 1,
        maximum: 64,
        default: 1,
      },
    ),
    maxRegisters: integer('Registers that one request may read.', { minimum: 1, maximum: 125, default: 125 }),
    maxBits: integer('Coils or inputs that one request may read.', { minimum: 1, maximum: 2000, default: 2000 }),
    maxGap: integer('Registers that are read along although nobody wants them, where that saves a request.', {
      minimum: 0,
      maximum: 124,
      default: 8,
    }),
    maxWriteRegisters: integer('Registers that one request may write.', { minimum: 1, maximum: 123, default: 123 }),
    writeMultiple: flag('Also single registers and coils are written by the functions for several, 16 and 15.'),
    maskWrite: choice(
      'How single bits of a register are written: by function 22, or by reading and writing, where another may come in between.',
      ['Function22', 'ReadModifyWrite'],
      'Function22',
    ),
  }),
  address: object('Where the property is.', {
    table: choice(
      'What it is a part of. FileRecord, FifoQueue, DeviceIdentification and what follows are requests of their own.',
      [
        'HoldingRegister',
        'InputRegister',
        'Coil',
        'DiscreteInput',
        'FileRecord',
        'FifoQueue',
        'DeviceIdentification',
        'ServerId',
        'ExceptionStatus',
        'EventCounter',
        'EventLog',
        'Diagnostic',
      ],
      'HoldingRegister',
    ),
    address: integer(
      'Counted from 0, as on the wire: what is written 40001 in manuals is HoldingRegister 0. The record of a file, the object of an identification, the sub-function of a diagnostic.',
      { ...ADDRESS, default: 0 },
    ),
    count: integer('Registers or coils, where the type does not say it: texts and lists without length.', {
      minimum: 1,
      maximum: 2000,
    }),
    file: integer('Number of the file.', { minimum: 1, maximum: 65_535 }),
    unit: integer('Another unit than that of the device.', UNIT),
  }),
  command: object(
    'What the command does. Input values are sent one after another as registers, output values are taken so.',
    {
      action: choice(
        'Write registers or coils; write and read in one request (23); a diagnostic (8); a request of any function, whose data is the input and the output.',
        ['WriteRegisters', 'WriteCoils', 'ReadWrite', 'Diagnostic', 'Request'],
        'WriteRegisters',
      ),
      address: integer('Where it writes; the sub-function of a diagnostic.', { ...ADDRESS, default: 0 }),
      values: list(
        'Is written before the input, or in its place.',
        { type: 'integer', minimum: 0, maximum: 65_535 },
        123,
      ),
      readAddress: integer('Where ReadWrite reads.', { ...ADDRESS, default: 0 }),
      function: integer('Function code of a Request.', { minimum: 1, maximum: 127 }),
      unit: integer('Another unit than that of the device.', UNIT),
    },
  ),
  scan: object('Which unit ids are asked.', {
    firstUnit: integer('The first.', { ...UNIT, default: 1 }),
    lastUnit: integer('The last.', { ...UNIT, default: 247 }),
  }),
  check: checkModbus,
};

function checkModbus({ visitors = [], commands = [] }: DeviceSpec): readonly FieldError[] {
  return [
    ...visitors.flatMap(({ address }, at) =>
      address['table'] === 'FileRecord' && address['file'] === undefined
        ? [invalid(`spec.visitors[${at}].address.file`, undefined, 'a FileRecord is in a file')]
        : [],
    ),
    ...commands.flatMap(({ address }, at) =>
      address['action'] === 'Request' && address['function'] === undefined
        ? [invalid(`spec.commands[${at}].address.function`, undefined, 'a Request has a function code')]
        : [],
    ),
  ];
}
