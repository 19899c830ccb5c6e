/** Instants to text, by patterns like `YYYY-MM-dd HH:mm:ss`. */
import { wallClock, type Zone, zoneFor } from './zone.ts';

export const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const;
export const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const;

interface Face {
  readonly wall: Date;
  readonly zone: Zone;
  readonly offset: number;
}

type Writer = (face: Face) => string;

/** Letters of the same kind one after another; text between single quotes; anything else stands for itself. */
const RUN = /([A-Za-z])\1*|'([^']*)'|[^A-Za-z']+/g;

/** What a pattern means; throws RangeError that names a letter without meaning. */
export function timeFormat(pattern: string): (date: Date, zone: Zone) => string {
  const writers = [...pattern.matchAll(RUN)].map(([run, letter, quoted]) => writerOf(run, letter, quoted));
  return (date, given) => {
    const zone = zoneFor(date, given);
    const face = { wall: wallClock(date, zone), zone, offset: zone.offset(date.getTime()) };
    return writers.map((write) => write(face)).join('');
  };
}

function writerOf(run: string, letter: string | undefined, quoted: string | undefined): Writer {
  if (letter === undefined) return () => quoted ?? run;
  if (run === 'T') return () => 'T';
  const make = WRITERS[letter];
  if (make === undefined) throw new RangeError(letter);
  return make(run.length);
}

const WRITERS: Readonly<Record<string, (width: number) => Writer>> = {
  G: () => () => 'AD',
  Y: year,
  y: year,
  M:
    (width) =>
    ({ wall }) => {
      const name = MONTHS[wall.getUTCMonth()] ?? '';
      return width >= 4 ? name : width === 3 ? name.slice(0, 3) : padded(wall.getUTCMonth() + 1, width);
    },
  d:
    (width) =>
    ({ wall }) =>
      padded(wall.getUTCDate(), width),
  E:
    (width) =>
    ({ wall }) =>
      (DAYS[wall.getUTCDay()] ?? '').slice(0, width >= 4 ? undefined : 3),
  H:
    (width) =>
    ({ wall }) =>
      padded(wall.getUTCHours(), width),
  h:
    (width) =>
    ({ wall }) =>
      padded(wall.getUTCHours() % 12 || 12, width),
  a:
    () =>
    ({ wall }) =>
      wall.getUTCHours() < 12 ? 'AM' : 'PM',
  m:
    (width) =>
    ({ wall }) =>
      padded(wall.getUTCMinutes(), width),
  s:
    (width) =>
    ({ wall }) =>
      padded(wall.getUTCSeconds(), width),
  S:
    (width) =>
    ({ wall }) =>
      `.${`${padded(wall.getUTCMilliseconds(), 3)}000000`.slice(0, width)}`,
  z:
    () =>
    ({ zone }) =>
      zone.name,
  Z:
    () =>
    ({ offset }) =>
      offsetText(offset, ''),
  X:
    (width) =>
    ({ offset }) =>
      width === 1 ? offsetText(offset, '').slice(0, 3) : offsetText(offset, width === 2 ? '' : ':'),
};

function year(width: number): Writer {
  return ({ wall }) => (width === 2 ? padded(wall.getUTCFullYear() % 100, 2) : padded(wall.getUTCFullYear(), width));
}

function padded(value: number, width: number): string {
  return String(value).padStart(width, '0');
}

function offsetText(offset: number, separator: string): string {
  const minutes = Math.round(Math.abs(offset) / 60_000);
  return `${offset < 0 ? '-' : '+'}${padded(Math.floor(minutes / 60), 2)}${separator}${padded(minutes % 60, 2)}`;
}
