export type * from './contract.ts';
export { createEdgeLink } from './edge-link.ts';
export { createHub } from './hub.ts';
