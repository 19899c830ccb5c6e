/** One pod, then 120 pods of one Deployment on one node that runs an image without any container runtime: from apply to Running, and their deletion. */
import { imageOn, TestRegistry } from '@skerry/testkit/processes';
import { measurePods } from './support/many-pods.ts';

await using registry = await TestRegistry.start();
await measurePods(imageOn(registry));
