/** One pod, then 120 pods of one Deployment on one node with programs of the node: from apply to Running, and their deletion. */
import { PROCESS } from '@skerry/testkit/processes';
import { measurePods } from './support/many-pods.ts';

await measurePods(PROCESS);
