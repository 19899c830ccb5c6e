/**
 * A serial line as a stream of bytes, without native code: coreutils' `stty` sets the line, and Node reads terminals as it
 * reads sockets. So it works wherever Node does, and a crash of a binding cannot end the worker.
 */
import { execFile } from 'node:child_process';
import { close, constants, fstat, open as openFile, type Stats } from 'node:fs';
import { isatty, ReadStream } from 'node:tty';
import { promisify } from 'node:util';
import { DriverError } from '../driver-error.ts';
import type { ByteStream, SerialSettings } from './byte-stream.ts';
import { socketBytes } from './socket-bytes.ts';

const openDescriptor = promisify(openFile);
const statDescriptor = promisify(fstat);
const closeDescriptor = promisify(close);
const run = promisify(execFile);

/** `stty` answers at once, or the line hangs. */
const STTY_MS = 5000;

/** Rejects with a DriverError. */
export async function openSerial(path: string, settings: SerialSettings): Promise<ByteStream> {
  const descriptor = await openLine(path);
  try {
    if (!isatty(descriptor) || isConsole(await statDescriptor(descriptor)))
      throw new DriverError('Misconfigured', `${path} is no serial line`);
    await setLine(path, settings);
  } catch (error) {
    await closeDescriptor(descriptor);
    throw error;
  }
  return socketBytes(new ReadStream(descriptor), path);
}

async function openLine(path: string): Promise<number> {
  const { O_RDWR, O_NOCTTY, O_NONBLOCK } = constants;
  try {
    return await openDescriptor(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
  } catch (cause) {
    const { code = '' } = cause as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM')
      throw new DriverError('AccessDenied', `${path} may not be opened by the user of the agent`, { cause });
    throw new DriverError('Unreachable', `${path} ${code === 'ENOENT' ? 'is not there' : `failed: ${code}`}`, {
      cause,
    });
  }
}

const VIRTUAL_CONSOLES = { major: 4, below: 64 };
const SYSTEM_CONSOLES = { major: 5, below: 3 };

/** The screens of the machine are terminals, too, but nobody's devices. */
function isConsole({ rdev }: Stats): boolean {
  const [major, minor] = [(rdev >> 8) & 0xfff, rdev & 0xff];
  return [VIRTUAL_CONSOLES, SYSTEM_CONSOLES].some((each) => each.major === major && minor < each.below);
}

async function setLine(path: string, settings: SerialSettings): Promise<void> {
  try {
    await run('stty', ['-F', path, ...sttyArguments(settings)], { timeout: STTY_MS });
  } catch (cause) {
    const text = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : '';
    throw new DriverError('Misconfigured', `${path} cannot be set so: ${text}`, { cause });
  }
}

/** Bytes as they are: no echo, no line editing, no signals, no translation. */
export function sttyArguments(settings: SerialSettings): readonly string[] {
  const { baudRate, dataBits, parity, stopBits, flowControl } = settings;
  const parities = { None: ['-parenb'], Even: ['parenb', '-parodd'], Odd: ['parenb', 'parodd'] };
  return [
    'raw',
    '-echo',
    'clocal',
    'cread',
    String(baudRate),
    `cs${dataBits}`,
    ...parities[parity],
    stopBits === 2 ? 'cstopb' : '-cstopb',
    flowControl === 'Hardware' ? 'crtscts' : '-crtscts',
    ...(flowControl === 'Software' ? ['ixon', 'ixoff'] : ['-ixon', '-ixoff']),
  ];
}
