/** What the cloud's side of images offers to the rest of the cloud. */
import type { ImageSource } from '../images/index.ts';

/** Images for nodes that cannot, or should not, reach their registries: out of the cloud's own registry, or kept by it for all. */
export interface NodeImages {
  /**
   * Where `node` gets images by way of the cloud. Each call checks that the node may have the image: a pod or an image pull bound
   * to it names it, and a blob or a child manifest must belong to it; else `imageErrors.UNAUTHORIZED`. An image of the cloud's own
   * registry in the namespace of such a pod needs no credentials; every other is asked for with those of the call.
   */
  sourceFor(node: string): ImageSource;
}
