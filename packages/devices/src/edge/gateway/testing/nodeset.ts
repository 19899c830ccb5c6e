/** For tests and benches: the standard's own nodes, where npm has put them. */
import { nodesets } from 'node-opcua-nodesets';

export const STANDARD_NODES: string = nodesets.standard;
