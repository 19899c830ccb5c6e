/** Removes images that nobody uses, the longest unused first, once the disk they are on is nearly full. */
import { statfs } from 'node:fs/promises';
import { type Disk, MIN_UNUSED_MS, planCollection, type UnusedImage } from '../pod/image-collection.ts';
import type { CriClient, Image } from './client.ts';

export class ImageCollector {
  readonly #cri: CriClient;
  readonly #now: () => number;
  readonly #unusedSince = new Map<string, number>();

  constructor(cri: CriClient, now: () => number) {
    this.#cri = cri;
    this.#now = now;
  }

  async collect(): Promise<void> {
    const unused = await this.#findUnused();
    const disk = await this.#disk();
    await this.#remove(planCollection(this.#now(), disk, unused));
  }

  /** But for those that may have come for a pod just now. */
  async collectAll(): Promise<void> {
    const unused = await this.#findUnused();
    await this.#remove(unused.filter(({ since }) => this.#now() - since >= MIN_UNUSED_MS));
  }

  async #remove(images: readonly UnusedImage[]): Promise<void> {
    for (const { id } of images) {
      await this.#cri.call('RemoveImage', { image: { image: id } });
      this.#unusedSince.delete(id);
    }
  }

  async #findUnused(): Promise<readonly UnusedImage[]> {
    const [{ images }, { containers }, sandboxImage] = await Promise.all([
      this.#cri.call('ListImages', {}),
      // Those of other agents count as well.
      this.#cri.call('ListContainers', {}),
      this.#sandboxImage(),
    ]);
    const used = new Set(containers.map(({ imageRef }) => imageRef));
    const free = images.filter((image) => !used.has(image.id) && !image.pinned && !isNamed(image, sandboxImage));
    const ids = new Set(free.map(({ id }) => id));
    for (const id of this.#unusedSince.keys()) if (!ids.has(id)) this.#unusedSince.delete(id);
    return free.map(({ id, size }) => ({ id, size, since: this.#since(id) }));
  }

  #since(id: string): number {
    const since = this.#unusedSince.get(id) ?? this.#now();
    this.#unusedSince.set(id, since);
    return since;
  }

  /** The runtime knows which image holds sandboxes, and says so only in its own configuration. */
  async #sandboxImage(): Promise<string | undefined> {
    const { info } = await this.#cri.call('Status', { verbose: true });
    const { sandboxImage } = JSON.parse(info['config'] ?? '{}') as { sandboxImage?: string };
    return sandboxImage;
  }

  async #disk(): Promise<Disk> {
    const { filesystems } = await this.#cri.call('ImageFsInfo', {});
    const { blocks, bavail, bsize } = await statfs(filesystems[0]?.id?.mountpoint ?? '/');
    return { totalBytes: blocks * bsize, usedBytes: (blocks - bavail) * bsize };
  }
}

function isNamed({ tags, digests }: Image, name: string | undefined): boolean {
  return name !== undefined && (tags.includes(name) || digests.includes(name));
}
