/** What Kubernetes demands of workloads, tried on a cloud with two nodes. */
import { runSuite } from './suite.ts';

runSuite({ group: 'With nodes', nodes: ['edge-1', 'edge-2'], concurrency: 8 });
