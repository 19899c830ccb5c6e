/** One pod, then 120 pods of one Deployment on one node with containerd: from apply to Running and Ready, and their deletion. */
import { measurePods } from './support/many-pods.ts';

await measurePods('containerd', { readyMs: 600, manyMs: 40_000 });
