/** Files that hold keys: mode 0600, and either the old content or the new one after a crash, never a torn one. */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { newNameSuffix } from '@skerry/base';
import { errors } from '../errors.ts';

/** Replaces the file atomically and durably. The directory is made with mode 0700 if it is missing. */
export function writePrivateFile(file: string, content: string | Uint8Array): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${newNameSuffix(8)}.tmp`;
  try {
    writeDurably(draft, content);
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
  syncDirectory(dirname(file));
}

/** The file's text; nothing when there is no such file. */
export function readOptionalFile(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw errors.PKI_UNREADABLE({ file }, { cause });
  }
}

function writeDurably(file: string, content: string | Uint8Array): void {
  // 'wx' never follows a link that someone put in the way, and the mode counts from the first byte.
  const descriptor = openSync(file, 'wx', 0o600);
  try {
    const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
