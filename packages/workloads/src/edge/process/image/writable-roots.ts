/**
 * A root file system for each container, over the image's tree: by overlayfs, so that it costs nothing but what the container writes,
 * and mounted where only the container sees it, so that it goes with it; where the kernel has none for us, by a copy, which shares its
 * blocks with the tree on file systems that can.
 */
import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Logger, messageOf } from '@skerry/base';
import { type DiskUsage, diskUsageOf } from '../../eviction/disk-usage.ts';
import { runProgram } from './room.ts';

export interface RootTools {
  readonly sh: string;
  readonly mount: string;
  readonly cp: string;
  readonly rm: string;
}

export interface WritableRootsOptions {
  readonly directory: string;
  /** Words before what is to run in a mount namespace of its own. */
  readonly room: readonly string[];
  readonly tools: RootTools;
  /** The room is a user namespace: overlayfs keeps its notes where users may write. */
  readonly isUser: boolean;
  readonly log: Logger;
}

export interface WritableRoot {
  /** What becomes the container's root, as it is seen behind `enter`. */
  readonly path: string;
  /** Words before bubblewrap. */
  readonly enter: readonly string[];
}

/** The one text that reaches a shell here. It is constant, and what it runs is named by arguments, of which it looks at no more. */
const MOUNT_AND_GO = '"$1" -t overlay overlay -o "$2" "$3" && shift 3 && exec "$@"';
/** Part of a mount's options, where these mean something. */
const SPECIAL = /[,:\\]/;
const TRIAL = 'trial';

export class WritableRoots {
  readonly #options: WritableRootsOptions;
  /** Being made: not in anybody's list yet. */
  readonly #making = new Set<string>();
  readonly #removing = new Set<Promise<void>>();
  #overlay: Promise<boolean> | undefined;

  constructor(options: WritableRootsOptions) {
    this.#options = options;
  }

  async make(id: string, tree: string): Promise<WritableRoot> {
    this.#making.add(id);
    try {
      this.#overlay ??= this.#tryOverlay();
      return (await this.#overlay) ? await this.#layer(id, tree) : await this.#copy(id, tree);
    } catch (error) {
      this.remove(id);
      throw error;
    } finally {
      this.#making.delete(id);
    }
  }

  /** Once nothing runs in it. Nobody waits for it; what is left all the same goes with a sweep. */
  remove(id: string): void {
    const place = join(this.#options.directory, id);
    if (!existsSync(place)) return;
    const removal = this.#remove(place).catch((error: unknown) =>
      this.#options.log.warn({ id, error: messageOf(error) }, 'what a container wrote could not be removed'),
    );
    this.#removing.add(removal);
    void removal.finally(() => this.#removing.delete(removal));
  }

  /** What the container has written; of a copy, all of it. Undefined when it has no root here. */
  async usageOf(id: string): Promise<DiskUsage | undefined> {
    const [upper, root] = ['upper', 'root'].map((name) => join(this.#options.directory, id, name));
    const place = [upper, root].find((path) => path !== undefined && existsSync(path));
    return place === undefined ? undefined : await diskUsageOf(place);
  }

  /** Removes those of containers that nobody knows. */
  async sweep(isKnown: (id: string) => boolean): Promise<void> {
    const { directory } = this.#options;
    const ids = existsSync(directory) ? readdirSync(directory) : [];
    for (const id of ids) if (!isKnown(id) && !this.#making.has(id)) this.remove(id);
    await Promise.all(this.#removing);
  }

  async #layer(id: string, tree: string): Promise<WritableRoot> {
    const { directory, room, tools, isUser } = this.#options;
    const [root, upper, work] = ['root', 'upper', 'work'].map((name) => join(directory, id, name));
    for (const path of [root, upper, work]) if (path !== undefined) await mkdir(path, { recursive: true, mode: 0o755 });
    const options = `lowerdir=${tree},upperdir=${upper},workdir=${work}${isUser ? ',userxattr' : ''}`;
    return {
      path: join(directory, id, 'root'),
      enter: [...room, tools.sh, '-c', MOUNT_AND_GO, 'sh', tools.mount, options, join(directory, id, 'root')],
    };
  }

  /** With all that root may keep; hard links and holes stay what they are. */
  async #copy(id: string, tree: string): Promise<WritableRoot> {
    const { directory, room, tools } = this.#options;
    const path = join(directory, id, 'root');
    await mkdir(path, { recursive: true, mode: 0o755 });
    await runProgram([...room, tools.cp, '--archive', '--reflink=auto', `${tree}/.`, path]);
    return { path, enter: room };
  }

  async #tryOverlay(): Promise<boolean> {
    const { directory, log } = this.#options;
    try {
      if (SPECIAL.test(directory)) throw new Error(`${directory} has letters that mount options cannot have`);
      const tree = join(directory, TRIAL, 'tree');
      await mkdir(tree, { recursive: true });
      const { enter } = await this.#layer(TRIAL, tree);
      await runProgram([...enter, '/bin/true']);
      return true;
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'no overlayfs for containers: each gets a copy of its image');
      return false;
    } finally {
      this.remove(TRIAL);
    }
  }

  async #remove(place: string): Promise<void> {
    // The kernel closes it to everybody.
    await chmod(join(place, 'work', 'work'), 0o700).catch(() => {});
    await removeTree(this.#options, place);
  }
}

/** With the help of a user namespace where a container, or an image, closed a directory to us. */
export async function removeTree(
  { room, tools }: Pick<WritableRootsOptions, 'room' | 'tools'>,
  path: string,
): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch {
    await runProgram([...room, tools.rm, '--recursive', '--force', '--', path]);
  }
}
