/** Images for nodes, over their links: the door is there before those who have the images are. */
import type { Logger } from '@skerry/base';
import type { BlobDoor } from '@skerry/link/contract';
import type { NodeImages } from '@skerry/workloads/registry';

export interface LateImages {
  readonly door: BlobDoor;
  use(images: NodeImages): void;
}

/** The code is loaded by the first node that asks. */
export function lateImages(log: Logger): LateImages {
  let current: NodeImages | undefined;
  let opened: Promise<BlobDoor> | undefined;
  const open = async (): Promise<BlobDoor> => {
    const { createImageDoor, imageErrors } = await import('@skerry/workloads/images');
    const sourceFor: NodeImages['sourceFor'] = (node) => {
      const problem = 'it has not started to serve images';
      if (current === undefined) throw imageErrors.UNAVAILABLE({ where: 'the cloud', what: 'images', problem });
      return current.sourceFor(node);
    };
    return createImageDoor({ sourceFor, log });
  };
  return {
    door: async (ask, node, signal) => {
      opened ??= open();
      return await (await opened)(ask, node, signal);
    },
    use: (images) => {
      current = images;
    },
  };
}
