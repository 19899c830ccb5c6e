/**
 * Programs of the node that run inside of an image's root before the container's command does, to drop privileges there. Images need
 * have neither them nor the libraries they are linked with, so they are started by their own loader with their own libraries; and these
 * are copies that ask for no settings of the image's, which could name libraries of the image to load with all privileges.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** On the container's own /dev, which is no part of the image; a mount of its own, so that no root in there can move or change it. */
export const TOOLS_PLACE = '/dev/.skerry';

export interface InnerTools {
  /** Options of bubblewrap that make them visible. */
  readonly binds: readonly string[];
  /** The words that start one, inside. */
  readonly setpriv: readonly string[];
  readonly env: readonly string[];
}

/** Files that loader and C library obey. A lookup that has no settings asks files only. */
const SETTINGS = [
  '/etc/ld.so.preload',
  '/etc/ld.so.cache',
  '/etc/nsswitch.conf',
  '/etc/passwd',
  '/etc/group',
  '/var/run/nscd/socket',
];
/** In there, nothing can be. */
const NOWHERE = '/dev/null/';

interface InnerToolsOptions {
  readonly setpriv: string;
  readonly env: string;
  /** Where the copies are made. */
  readonly directory: string;
}

export function findInnerTools({ setpriv, env, directory }: InnerToolsOptions): InnerTools {
  const needs = [needsOf(setpriv), needsOf(env)];
  const files = new Set([setpriv, env, ...needs.flatMap(({ libraries, loader }) => [...libraries, ...loader])]);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return {
    binds: [
      '--tmpfs',
      TOOLS_PLACE,
      ...[...files].flatMap((file) => ['--ro-bind', copyOf(file, directory), join(TOOLS_PLACE, basename(file))]),
      '--remount-ro',
      TOOLS_PLACE,
    ],
    setpriv: startOf(setpriv, needs[0]),
    env: startOf(env, needs[1]),
  };
}

/** The same file with the name of each setting turned into one of the same length that leads nowhere. */
function copyOf(file: string, directory: string): string {
  const copy = join(directory, basename(file));
  writeFileSync(`${copy}.new`, withoutSettings(readFileSync(file)));
  // Whatever the umask is: env starts as the container's user.
  chmodSync(`${copy}.new`, 0o755);
  renameSync(`${copy}.new`, copy);
  return copy;
}

function withoutSettings(program: Buffer): Buffer {
  const changed = Buffer.from(program);
  for (const setting of SETTINGS) {
    const sought = Buffer.from(`\0${setting}\0`);
    const nowhere = NOWHERE.padEnd(setting.length, 'x').slice(0, setting.length);
    for (let at = changed.indexOf(sought); at !== -1; at = changed.indexOf(sought, at)) changed.write(nowhere, at + 1);
  }
  return changed;
}

interface Needs {
  readonly libraries: readonly string[];
  /** One, or none for a program that is linked statically. */
  readonly loader: readonly string[];
}

/** What the loader says itself, without running the program. */
function needsOf(program: string): Needs {
  const env = { LD_TRACE_LOADED_OBJECTS: '1' };
  const { stdout } = spawnSync(program, ['--version'], { env, encoding: 'utf8' });
  const lines = stdout.split('\n').map((line) => line.trim());
  const libraries = lines.flatMap((line) => / => (\/\S+) \(0x/.exec(line)?.[1] ?? []);
  return { libraries, loader: lines.flatMap((line) => /^(\/\S+) \(0x/.exec(line)?.[1] ?? []).slice(0, 1) };
}

function startOf(program: string, needs: Needs | undefined): readonly string[] {
  const [loader] = needs?.loader ?? [];
  const inside = join(TOOLS_PLACE, basename(program));
  return loader === undefined ? [inside] : [join(TOOLS_PLACE, basename(loader)), '--library-path', TOOLS_PLACE, inside];
}
