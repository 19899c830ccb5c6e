/** What the options of every protocol say that runs over serial lines. */
import { choice, integer, object, type Schema } from '@skerry/api/definitions';

export const serialSchema: Schema = object('How the line is set, where the endpoint is `serial:///dev/NAME`.', {
  baudRate: integer('Bits a second.', { minimum: 50, maximum: 4_000_000, default: 9600 }),
  dataBits: integer('Bits of a character.', { minimum: 5, maximum: 8, default: 8 }),
  parity: choice('How errors are noticed.', ['None', 'Even', 'Odd'], 'None'),
  stopBits: integer('Bits between characters.', { minimum: 1, maximum: 2, default: 1 }),
  flowControl: choice('How the other side says stop.', ['None', 'Hardware', 'Software'], 'None'),
});
