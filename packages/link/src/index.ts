export type * from './contract.ts';
export { errors } from './errors.ts';
export { MAX_STREAM_HEADER_BYTES, MAX_STREAM_MESSAGE_BYTES } from './limits.ts';
