/**
 * Fills the holes of package-lock.json: optional packages of platforms that the registry at hand did not serve when the
 * lock was written. `npm install` leaves them out without a word, and `npm ci` then refuses the lock on every machine.
 * A filled entry has no integrity; it is only ever fetched on its own platform. Run it after each change of the lock.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, say } from './tasks.ts';

export interface LockEntry {
  readonly version?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export interface Lock {
  readonly packages: Readonly<Record<string, LockEntry>>;
}

const FILE = join(ROOT, 'package-lock.json');
/** Native packages name their platform last, such as `binding-linux-arm-musleabihf`. */
const PLATFORM =
  /[/-](android|darwin|freebsd|linux|openharmony|win32)-(arm64|arm|ia32|ppc64|riscv64|s390x|x64)(?:-(gnu|musl)?\w*)?$/;
const LIBC: Readonly<Record<string, string>> = { gnu: 'glibc', musl: 'musl' };

export function readLock(): Lock {
  return JSON.parse(readFileSync(FILE, 'utf8')) as Lock;
}

/** The optional packages that some entry names and the lock lacks. */
export function holesOf(lock: Lock): readonly { readonly name: string; readonly entry: LockEntry }[] {
  return Object.values(lock.packages).flatMap((owner) =>
    Object.entries(owner.optionalDependencies ?? {})
      .filter(([name]) => !(`node_modules/${name}` in lock.packages))
      .map(([name, version]) => ({ name, entry: entryFor(name, version, owner) })),
  );
}

function entryFor(name: string, version: string, owner: LockEntry): LockEntry {
  const [, os, cpu, libc] = PLATFORM.exec(name) ?? [];
  if (os === undefined || cpu === undefined) throw new Error(`the name ${name} tells no platform`);
  return {
    version,
    cpu: [cpu],
    ...(owner.dev === true ? { dev: true } : {}),
    ...(libc === undefined ? {} : { libc: [LIBC[libc] ?? libc] }),
    optional: true,
    os: [os],
  };
}

function fill(lock: Lock): Lock {
  const added = holesOf(lock).map(({ name, entry }): [string, LockEntry] => [`node_modules/${name}`, entry]);
  const packages = [...Object.entries(lock.packages), ...added].sort(([left], [right]) => (left < right ? -1 : 1));
  return { ...lock, packages: Object.fromEntries(packages) };
}

if (import.meta.main) {
  const lock = readLock();
  writeFileSync(FILE, `${JSON.stringify(fill(lock), null, 2)}\n`);
  say(`${holesOf(lock).length} optional packages added to package-lock.json`);
}
