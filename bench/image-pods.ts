/** One pod, then 120 pods of one Deployment on one node that runs an image without any container runtime: from apply to Running and Ready, and their deletion. */
import { measurePods } from './support/many-pods.ts';

await measurePods('image', { readyMs: 150, manyMs: 6_000 });
