/**
 * Programs of the node that run inside of an image's root before the container's command does, to drop privileges there. Images need
 * have neither them nor the libraries they are linked with, so they are started by their own loader with their own libraries.
 */
import { spawnSync } from 'node:child_process';
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

export function findInnerTools({ setpriv, env }: { readonly setpriv: string; readonly env: string }): InnerTools {
  const needs = [needsOf(setpriv), needsOf(env)];
  const files = new Set([setpriv, env, ...needs.flatMap(({ libraries, loader }) => [...libraries, ...loader])]);
  return {
    binds: [
      '--tmpfs',
      TOOLS_PLACE,
      ...[...files].flatMap((file) => ['--ro-bind', file, join(TOOLS_PLACE, basename(file))]),
      '--remount-ro',
      TOOLS_PLACE,
    ],
    setpriv: startOf(setpriv, needs[0]),
    env: startOf(env, needs[1]),
  };
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
