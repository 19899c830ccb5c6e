/** Root file systems of images: each unpacked once, shared by all containers of it, and never written to after that. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '@skerry/base';
import { Flights } from '../../../images/flights.ts';
import {
  type Digest,
  type ImageConfig,
  type ImageStore,
  imageErrors,
  MAX_CONFIG_BYTES,
  parseConfig,
  readBlob,
  type StoredImage,
} from '../../../images/index.ts';
import { DEFAULT_BOUNDS } from '../../../images/unpack/index.ts';
import { unpackAside } from './unpack-process.ts';

export interface ImageTree {
  readonly path: string;
  readonly config: ImageConfig;
}

export interface ImageTreesOptions {
  readonly directory: string;
  readonly store: ImageStore;
  /** Starts the program that unpacks. */
  readonly command: readonly string[];
  /** As root, files get the owners they are said to have. */
  readonly keepsOwners: boolean;
  /** Also what we may not enter without help. */
  readonly removeTree: (path: string) => Promise<void>;
  /** Writes what is in this file system to its disk. */
  readonly sync: (path: string) => Promise<void>;
}

const UNFINISHED = /\.new-/;

export class ImageTrees {
  readonly #options: ImageTreesOptions;
  readonly #unpacking = new Flights<void, never>();
  readonly #configs = new Map<Digest, ImageConfig>();
  /** Images whose layers were refused: unpacking them again would come to the same. */
  readonly #refused = new Map<string, Error>();

  constructor(options: ImageTreesOptions) {
    this.#options = options;
  }

  /** Removes what an agent that died left half done. */
  async open(): Promise<void> {
    const { directory, removeTree } = this.#options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const unfinished = readdirSync(directory).filter((name) => UNFINISHED.test(name));
    for (const name of unfinished) await removeTree(join(directory, name));
  }

  /** Unpacks the image if that has not been done. Throws imageErrors. */
  async ensure(image: StoredImage, signal?: AbortSignal): Promise<ImageTree> {
    const config = await this.#configOf(image);
    const name = chainOf(config);
    const path = join(this.#options.directory, name);
    if (!existsSync(path)) {
      const refused = this.#refused.get(name);
      if (refused !== undefined) throw refused;
      await this.#unpacking.join(name, { signal }, (shared) => this.#unpack(image, config, path, shared));
    }
    return { path, config };
  }

  /** Removes the trees of images that are gone. */
  async collect(): Promise<void> {
    const { directory, store, removeTree } = this.#options;
    const images = store.list();
    const wanted = new Set(await Promise.all(images.map(async (image) => chainOf(await this.#configOf(image)))));
    for (const name of readdirSync(directory)) {
      if (!UNFINISHED.test(name) && !wanted.has(name)) await removeTree(join(directory, name));
    }
    const digests = new Set(images.map(({ config }) => config.digest));
    for (const digest of this.#configs.keys()) if (!digests.has(digest)) this.#configs.delete(digest);
    for (const name of this.#refused.keys()) if (!wanted.has(name)) this.#refused.delete(name);
  }

  async #unpack(image: StoredImage, config: ImageConfig, path: string, signal: AbortSignal): Promise<void> {
    const { store, command, keepsOwners, removeTree, sync } = this.#options;
    const target = await mkdtemp(`${path}.new-`);
    const layers = image.layers.map(({ digest }, index) => ({
      path: store.blobs.path(digest),
      digest,
      diffId: config.diffIds[index] ?? '',
    }));
    try {
      await unpackAside(command, { layers, target, keepsOwners, bounds: DEFAULT_BOUNDS }, signal);
      await sync(target);
      await rename(target, path);
    } catch (error) {
      await removeTree(target);
      if (hasCode(error, 'IMAGE_LAYER_REFUSED')) this.#refused.set(chainOf(config), error);
      throw error;
    }
  }

  async #configOf({ config, names, layers }: StoredImage): Promise<ImageConfig> {
    const known = this.#configs.get(config.digest);
    if (known !== undefined) return known;
    const what = `configuration of ${names[0] ?? config.digest}`;
    const parsed = parseConfig(await readBlob(this.#options.store.blobs, config, MAX_CONFIG_BYTES), what);
    if (parsed.diffIds.length !== layers.length) {
      throw imageErrors.INVALID_MANIFEST({ what, problem: 'it lists other layers than the manifest' });
    }
    this.#configs.set(config.digest, parsed);
    return parsed;
  }
}

/** The name of what these layers make together, one over the other. */
function chainOf({ diffIds }: ImageConfig): string {
  return createHash('sha256').update(diffIds.join(' ')).digest('hex');
}
