/** `/logs` of a node: what the host keeps in /var/log, as a kubelet shows it to whoever may see a node's own endpoints. */
import { constants } from 'node:fs';
import { open, readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { StatusError } from '@skerry/api';
import type { MessageStream } from '@skerry/kube/streaming';

const ROOT = '/var/log';
const PIECE_BYTES = 32 * 1024;
const MAX_ENTRIES = 10_000;

export function isHostLog(path: string): boolean {
  return path === '/logs' || path.startsWith('/logs/');
}

/** A directory as a page of links, a file as it is. `root` is where a test's files are. */
export async function sendHostLog(path: string, stream: MessageStream, root = ROOT): Promise<void> {
  const file = await find(path.split('?')[0] ?? '', root);
  const info = await stat(file);
  if (info.isDirectory()) await stream.send(Buffer.from(await pageOf(file)).subarray(0, PIECE_BYTES));
  else if (info.isFile()) await sendFile(file, stream);
  else throw notFound(path);
}

/** Nothing outside of the directory, whatever links lead there. */
async function find(path: string, root: string): Promise<string> {
  const base = await realpath(root);
  const file = await realpath(join(base, decodeURIComponent(path.slice('/logs'.length)))).catch(() => undefined);
  if (file === undefined || (file !== base && !file.startsWith(`${base}/`))) throw notFound(path);
  return file;
}

async function pageOf(directory: string): Promise<string> {
  const entries = (await readdir(directory, { withFileTypes: true })).slice(0, MAX_ENTRIES);
  const names = entries.map((entry) => `${entry.name}${entry.isDirectory() ? '/' : ''}`).sort();
  const links = names.map((name) => `<a href="${encodeURI(name)}">${name.replace(/[&<>]/g, escapeOf)}</a>\n`);
  return `<pre>\n${links.join('')}</pre>\n`;
}

function escapeOf(letter: string): string {
  return `&#${letter.charCodeAt(0)};`;
}

/** As much as there is now: a log that grows is no log without end. */
async function sendFile(path: string, stream: MessageStream): Promise<void> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const { size } = await file.stat();
  const piece = Buffer.alloc(PIECE_BYTES);
  for (let offset = 0; offset < size; ) {
    const { bytesRead } = await file.read(piece, 0, Math.min(PIECE_BYTES, size - offset), offset);
    if (bytesRead === 0) return;
    await stream.send(Uint8Array.from(piece.subarray(0, bytesRead)));
    offset += bytesRead;
  }
}

function notFound(path: string): StatusError {
  return new StatusError(404, 'NotFound', `the node has no ${path}`);
}
