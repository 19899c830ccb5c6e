/** One pod, then 120 pods of one Deployment on one node with programs of the node: from apply to Running and Ready, and their deletion. */
import { measurePods } from './support/many-pods.ts';

await measurePods('process', { readyMs: 150, manyMs: 6_000 });
