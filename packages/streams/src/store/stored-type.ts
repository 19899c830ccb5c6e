/** The names of types, where they come from a file. */
import { STORED_TYPES, type StoredType } from './contract.ts';

const KNOWN: ReadonlySet<string> = new Set(STORED_TYPES);

/** A name that this version does not know is read as `json`: its values say themselves what they are. */
export function parseStoredType(name: string): StoredType {
  return isStoredType(name) ? name : 'json';
}

function isStoredType(name: string): name is StoredType {
  return KNOWN.has(name);
}
