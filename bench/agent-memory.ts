/** The agent with 20 process pods: memory and processor time while idle (`--minutes N`), beside a bare bundle of its imports. */
import { measureIdleAgent } from './support/idle-agent.ts';

await measureIdleAgent({ kind: 'process', pods: 20, atMostMb: 75, ratioAtMost: 1.3 });
