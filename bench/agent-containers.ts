/** The agent with 30 containers of containerd: memory and processor time while idle (`--minutes N`), beside a bare bundle of its imports. */
import { measureIdleAgent } from './support/idle-agent.ts';

await measureIdleAgent({ kind: 'containerd', pods: 30, atMostMb: 95 });
