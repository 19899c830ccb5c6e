/** fsGroup: everything in a volume belongs to a group, may be read and written by it, and so does what is made there later. */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lchown, open, readdir } from 'node:fs/promises';

const GROUP_READ_WRITE = 0o060;
const GROUP_SEARCH = 0o010;
const SET_GROUP = 0o2000;
const PERMISSIONS = 0o7777;
/** For chown: the owner stays. */
const KEEP = -1;
const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;
/** A link is not followed, a pipe not waited for. */
const AS_IT_IS = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;

/** With `OnRootMismatch` a volume whose root is as it should be is left alone: going through a large one takes long. */
export async function giveToGroup(path: string, group: number, policy: string = 'Always'): Promise<void> {
  await using root = await open(path, O_RDONLY | O_DIRECTORY);
  if (policy === 'OnRootMismatch' && isGiven(await root.stat(), group)) return;
  await giveBelow(root, group);
  // The root comes last, so that whoever looks at it alone knows that all below it is done.
  await give(root, group);
}

/** By way of open directories: a program that swaps one for a link meanwhile leads nobody out of the volume. */
async function giveBelow(directory: FileHandle, group: number): Promise<void> {
  const within = `/proc/self/fd/${directory.fd}`;
  for (const entry of await readdir(within, { withFileTypes: true })) {
    const path = `${within}/${entry.name}`;
    if (entry.isDirectory()) await giveTree(path, group);
    else if (entry.isFile()) await giveFile(path, group);
    else await lchown(path, KEEP, group).catch(ignoreGone);
  }
}

async function giveTree(path: string, group: number): Promise<void> {
  await using directory = await openIfThere(path, AS_IT_IS | O_DIRECTORY);
  if (directory === undefined) return;
  await giveBelow(directory, group);
  await give(directory, group);
}

async function giveFile(path: string, group: number): Promise<void> {
  await using file = await openIfThere(path, AS_IT_IS);
  if (file !== undefined) await give(file, group);
}

async function give(opened: FileHandle, group: number): Promise<void> {
  const stat = await opened.stat();
  if (isGiven(stat, group)) return;
  if (stat.gid !== group) await opened.chown(stat.uid, group);
  // A change of the group takes bits away, so they are written in any case.
  await opened.chmod((stat.mode & PERMISSIONS) | wantedBits(stat));
}

function wantedBits(stat: Stats): number {
  return stat.isDirectory() ? GROUP_READ_WRITE | GROUP_SEARCH | SET_GROUP : GROUP_READ_WRITE;
}

function isGiven(stat: Stats, group: number): boolean {
  const wanted = wantedBits(stat);
  return stat.gid === group && (stat.mode & wanted) === wanted;
}

/** What was removed, or became something else, since it was seen in its directory is nobody's concern. */
async function openIfThere(path: string, flags: number): Promise<FileHandle | undefined> {
  return open(path, flags).catch((error: unknown) => {
    ignoreGone(error);
    return undefined;
  });
}

const GONE: ReadonlySet<unknown> = new Set(['ENOENT', 'ELOOP', 'ENOTDIR', 'ENXIO']);

function ignoreGone(error: unknown): void {
  if (!GONE.has((error as NodeJS.ErrnoException).code)) throw error;
}
