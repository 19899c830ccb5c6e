/** What Kubernetes demands of an API server and its controllers, tried on a cloud that has no node. */
import { runSuite } from './suite.ts';

runSuite({ group: 'Without nodes', nodes: [], concurrency: 8 });
