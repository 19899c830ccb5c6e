/**
 * A root file system for each container, over the image's tree: by overlayfs, so that it costs nothing but what the container writes;
 * where the kernel has none for us, by a copy, which shares its blocks with the tree on file systems that can.
 */
import { existsSync, readdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Logger, messageOf } from '@skerry/base';
import type { Room } from './room.ts';

export interface RootTools {
  readonly mount: string;
  readonly umount: string;
  readonly cp: string;
  readonly rm: string;
}

export interface WritableRootsOptions {
  readonly directory: string;
  readonly room: Room;
  readonly tools: RootTools;
  /** The room is a user namespace: overlayfs keeps its notes where users may write. */
  readonly isUser: boolean;
  readonly log: Logger;
}

/** Part of a mount's options, where these mean something. */
const SPECIAL = /[,:\\]/;

export class WritableRoots {
  readonly #options: WritableRootsOptions;
  /** Being made: not in anybody's list yet. */
  readonly #making = new Set<string>();
  #hasOverlay = true;

  constructor(options: WritableRootsOptions) {
    this.#options = options;
  }

  /** The path of the root, as it is seen in the room. */
  async make(id: string, tree: string): Promise<string> {
    this.#making.add(id);
    try {
      const root = this.#rootOf(id);
      await mkdir(root, { recursive: true, mode: 0o755 });
      if (this.#hasOverlay) {
        try {
          await this.#overlay(id, tree);
          return root;
        } catch (error) {
          this.#hasOverlay = false;
          this.#options.log.warn(
            { error: messageOf(error) },
            'no overlayfs for containers: each gets a copy of its image',
          );
        }
      }
      await this.#copy(tree, root);
      return root;
    } catch (error) {
      await this.remove(id).catch(() => {});
      throw error;
    } finally {
      this.#making.delete(id);
    }
  }

  /** Once nothing runs in it. */
  async remove(id: string): Promise<void> {
    const { directory, room, tools } = this.#options;
    const place = join(directory, id);
    if (!existsSync(place)) return;
    // It may not be mounted any more, or never have been.
    await room.run([tools.umount, this.#rootOf(id)]).catch(() => {});
    await removeTree(this.#options, place);
  }

  /** Removes those of containers that nobody knows. */
  async sweep(isKnown: (id: string) => boolean): Promise<void> {
    const { directory, log } = this.#options;
    if (!existsSync(directory)) return;
    for (const id of readdirSync(directory)) {
      if (isKnown(id) || this.#making.has(id)) continue;
      await this.remove(id).catch((error: unknown) =>
        log.warn({ id, error: messageOf(error) }, 'what a container wrote could not be removed'),
      );
    }
  }

  async #overlay(id: string, tree: string): Promise<void> {
    const { directory, room, tools, isUser } = this.#options;
    if (SPECIAL.test(directory)) throw new Error(`${directory} has letters that mount options cannot have`);
    const [upper, work] = [join(directory, id, 'upper'), join(directory, id, 'work')];
    for (const path of [upper, work]) await mkdir(path, { mode: 0o755 });
    const options = `lowerdir=${tree},upperdir=${upper},workdir=${work}${isUser ? ',userxattr' : ''}`;
    await room.run([tools.mount, '-t', 'overlay', 'overlay', '-o', options, this.#rootOf(id)]);
  }

  /** With all that root may keep; hard links and holes stay what they are. */
  async #copy(tree: string, root: string): Promise<void> {
    const { room, tools } = this.#options;
    await room.run([tools.cp, '--archive', '--reflink=auto', `${tree}/.`, root]);
  }

  #rootOf(id: string): string {
    return join(this.#options.directory, id, 'root');
  }
}

/** By a program of the room, in which we may enter what containers closed. It never leaves the file system it begins in. */
export async function removeTree(
  { room, tools }: Pick<WritableRootsOptions, 'room' | 'tools'>,
  path: string,
): Promise<void> {
  await room.run([tools.rm, '--recursive', '--force', '--one-file-system', '--', path]);
}
