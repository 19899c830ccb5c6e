export type {
  Change,
  ListOptions,
  ListResult,
  Revision,
  Store,
  StoredObject,
  StoreKey,
  Subscription,
  WriteOptions,
} from './contract.ts';
export { storeErrors } from './errors.ts';
export { formatKey, type KeyParts, keyPrefix, parseKey } from './key.ts';
export { DEFAULT_RETENTION, type RetentionPolicy } from './retention.ts';
export {
  type DatabaseWork,
  openStore,
  type SqliteStore,
  type SqliteWriteOptions,
  type StoreOptions,
} from './sqlite-store.ts';
export { keyOf, revisionOf } from './subscribers.ts';
