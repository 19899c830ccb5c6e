/** The images of a node, as its status lists them: schedulers prefer nodes that have an image already. */
import type { ListedImage, PodRuntime } from '../runtime.ts';

/** As kubelets bound the list, which every watcher of nodes gets. */
const MAX_IMAGES = 50;
const MAX_NAMES = 5;

export interface NodeImage {
  readonly names: readonly string[];
  readonly sizeBytes: number;
}

/** The largest first; an image that two runtimes have is one. A runtime that does not answer has none. */
export async function nodeImages(runtimes: readonly PodRuntime[]): Promise<readonly NodeImage[]> {
  const lists = await Promise.all(runtimes.map(async (runtime) => (await runtime.images?.().catch(() => [])) ?? []));
  const byName = new Map<string, ListedImage>();
  for (const image of lists.flat()) {
    const [name] = image.names;
    if (name !== undefined && !byName.has(name)) byName.set(name, image);
  }
  return [...byName.values()]
    .toSorted(
      (one, other) => other.sizeBytes - one.sizeBytes || ((one.names[0] ?? '') < (other.names[0] ?? '') ? -1 : 1),
    )
    .slice(0, MAX_IMAGES)
    .map(({ names, sizeBytes }) => ({ names: names.slice(0, MAX_NAMES), sizeBytes }));
}
