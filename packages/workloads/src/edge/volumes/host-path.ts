/** hostPath volumes: the type is checked, or what is missing made, before anything is mounted. */
import { mkdirSync, type Stats, statSync, writeFileSync } from 'node:fs';
import { normalize } from 'node:path';
import { VolumeProblem } from './payload.ts';

/** The path, if it says plainly where it leads; throws VolumeProblem otherwise. */
export function checkedPath(path: string): string {
  if (!path.startsWith('/') || path.split('/').includes('..') || path.includes('\0')) {
    throw new VolumeProblem(`hostPath ${JSON.stringify(path)} must be absolute and without ".."`);
  }
  return normalize(path);
}

export function openHostPath({ path, type = '' }: { readonly path: string; readonly type?: string }): string {
  const checked = checkedPath(path);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) createMissing(path, type);
  else refuseOtherType(path, type, stat);
  return checked;
}

function createMissing(path: string, type: string): void {
  // Without a type a directory is made, as container runtimes do for a bind mount.
  if (type === '' || type === 'DirectoryOrCreate') mkdirSync(path, { recursive: true, mode: 0o755 });
  else if (type === 'FileOrCreate') writeFileSync(path, '', { flag: 'a', mode: 0o644 });
  else throw new VolumeProblem(`hostPath type check failed: ${path} is not ${WORDS[type] ?? `a ${type}`}`);
}

const WORDS: Readonly<Record<string, string>> = {
  Directory: 'a directory',
  DirectoryOrCreate: 'a directory',
  File: 'a file',
  FileOrCreate: 'a file',
  Socket: 'a socket file',
  CharDevice: 'a character device',
  BlockDevice: 'a block device',
};

function refuseOtherType(path: string, type: string, stat: Stats): void {
  if (type === '' || isOfType(type, stat)) return;
  throw new VolumeProblem(`hostPath type check failed: ${path} is not ${WORDS[type] ?? `a ${type}`}`);
}

function isOfType(type: string, stat: Stats): boolean {
  switch (type) {
    case 'Directory':
    case 'DirectoryOrCreate':
      return stat.isDirectory();
    case 'File':
    case 'FileOrCreate':
      return stat.isFile();
    case 'Socket':
      return stat.isSocket();
    case 'CharDevice':
      return stat.isCharacterDevice();
    case 'BlockDevice':
      return stat.isBlockDevice();
    default:
      return false;
  }
}
