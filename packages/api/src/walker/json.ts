/** Reads a JSON body: bounded in depth, with duplicate keys found on request (JSON.parse alone hides them). */
import { messageOf } from '@skerry/base';
import { findDuplicateKeys } from './duplicate-keys.ts';
import { badRequest } from './errors.ts';
import { nestsDeeperThan } from './json-text.ts';

/** Deeper bodies are refused. Far beyond any real object, and shallow enough for recursive walks. */
export const MAX_JSON_DEPTH = 1000;

export interface JsonLimits {
  readonly maxDepth?: number;
  readonly maxBytes?: number;
  /** Look for duplicate keys too; costs a second pass over the text. */
  readonly findDuplicates?: boolean;
}

export interface ParsedJson {
  readonly value: unknown;
  /** Paths of keys that stand twice in one object; empty unless asked for. */
  readonly duplicates: readonly string[];
}

const decoder = new TextDecoder();

/** Throws StatusError 400. A key `__proto__` becomes an own property like any other. */
export function parseJson(body: Uint8Array | string, limits: JsonLimits = {}): ParsedJson {
  const maxDepth = limits.maxDepth ?? MAX_JSON_DEPTH;
  const text = typeof body === 'string' ? body : decoder.decode(body);
  // A text shorter than the bound cannot nest deeper than it, so that most bodies skip this scan.
  if (text.length > maxDepth && nestsDeeperThan(text, maxDepth)) throw badRequest(`exceeded max depth of ${maxDepth}`);
  const value = parse(text);
  return { value, duplicates: limits.findDuplicates === true ? findDuplicateKeys(text) : [] };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw badRequest(`couldn't get version/kind; json parse error: ${messageOf(cause)}`, { cause });
  }
}
