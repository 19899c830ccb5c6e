export type { NodeImages } from './contract.ts';
