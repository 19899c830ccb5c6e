/** JSON patch (RFC 6902). Containers on the way to a change are copied once; all else is shared with the input. */
import { cloneJson, isObject, type JsonObject, jsonEqual, member, setMember } from '../json.ts';
import { StatusError } from '../status.ts';
import { badPatch, unfitPatch } from './failures.ts';

export interface JsonPatchOperation {
  readonly op: 'add' | 'remove' | 'replace' | 'move' | 'copy' | 'test';
  readonly path: string;
  readonly from?: string;
  readonly value?: unknown;
}

/** As many as the API server takes. */
export const MAX_JSON_PATCH_OPERATIONS = 10_000;
/** What all `copy` operations of one patch may add: without it a patch of a few lines doubles the document until memory ends. */
const MAX_JSON_PATCH_COPIED = 3 * 1024 * 1024;

/** Applies the operations in order. 400 when they are malformed, 413 when they are too many, 422 when one does not fit. */
export function applyJsonPatch<T>(document: T, operations: unknown): T {
  const parsed = parseOperations(operations);
  const draft = new Draft(document);
  for (const operation of parsed) perform(draft, operation);
  return draft.root as T;
}

interface Step {
  readonly op: JsonPatchOperation['op'];
  readonly path: string;
  readonly tokens: readonly string[];
  readonly from: readonly string[];
  readonly value: unknown;
}

function parseOperations(operations: unknown): Step[] {
  if (!Array.isArray(operations)) throw badPatch('error decoding patch: a JSON patch must be a list of operations');
  if (operations.length > MAX_JSON_PATCH_OPERATIONS) {
    throw new StatusError(
      413,
      'RequestEntityTooLarge',
      `Request entity too large: The allowed maximum operations in a JSON patch is ${MAX_JSON_PATCH_OPERATIONS}, got ${operations.length}`,
    );
  }
  return operations.map(parseOperation);
}

function parseOperation(operation: unknown): Step {
  if (!isObject(operation)) throw badPatch('error decoding patch: an operation must be an object');
  const { op, path, from, value } = operation;
  if (!isOperator(op)) throw unfitPatch(`Unexpected kind: ${String(op)}`);
  if (typeof path !== 'string') throw unfitPatch(`${op} operation: missing path`);
  if ((op === 'add' || op === 'replace') && !Object.hasOwn(operation, 'value')) {
    throw unfitPatch(`${op} operation: missing value`);
  }
  if ((op === 'move' || op === 'copy') && typeof from !== 'string') throw unfitPatch(`${op} operation: missing from`);
  return { op, path, tokens: parsePointer(path), from: typeof from === 'string' ? parsePointer(from) : [], value };
}

function isOperator(op: unknown): op is JsonPatchOperation['op'] {
  return ['add', 'remove', 'replace', 'move', 'copy', 'test'].includes(op as string);
}

function parsePointer(pointer: string): string[] {
  if (pointer === '') return [];
  if (!pointer.startsWith('/')) throw unfitPatch(`path "${pointer}" must start with '/'`);
  return pointer
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function perform(draft: Draft, { op, path, tokens, from, value }: Step): void {
  switch (op) {
    case 'add':
      draft.add(tokens, value);
      break;
    case 'replace':
      draft.read(tokens);
      draft.replace(tokens, value);
      break;
    case 'remove':
      draft.remove(tokens);
      break;
    case 'move':
      move(draft, from, tokens);
      break;
    case 'copy':
      draft.copy(from, tokens);
      break;
    case 'test':
      // A test against null passes where there is nothing.
      if (!jsonEqual(draft.find(tokens) ?? null, value ?? null)) {
        throw unfitPatch(`testing value ${path} failed: test failed`);
      }
  }
}

function move(draft: Draft, from: readonly string[], to: readonly string[]): void {
  if (from.length < to.length && from.every((token, index) => token === to[index])) {
    throw unfitPatch('move operation does not apply: a value cannot be moved into itself');
  }
  const moved = draft.read(from);
  if (from.length === 0) return;
  draft.remove(from);
  draft.add(to, moved);
}

/** A document under change. Invariant: only containers in `owned` are written to. */
class Draft {
  root: unknown;
  readonly #owned = new Set<object>();
  #copied = 0;

  constructor(root: unknown) {
    this.root = root;
  }

  find(tokens: readonly string[]): unknown {
    let current = this.root;
    for (const token of tokens) current = child(current, token);
    return current;
  }

  read(tokens: readonly string[]): unknown {
    const found = this.find(tokens);
    if (found === undefined) throw missing(tokens);
    return found;
  }

  add(tokens: readonly string[], value: unknown): void {
    const last = tokens.at(-1);
    if (last === undefined) {
      this.root = value;
      return;
    }
    const parent = this.#own(tokens.slice(0, -1));
    if (Array.isArray(parent))
      parent.splice(last === '-' ? parent.length : indexIn(parent, last, parent.length), 0, value);
    else setMember(parent, last, value);
  }

  replace(tokens: readonly string[], value: unknown): void {
    const last = tokens.at(-1);
    if (last === undefined) {
      this.root = value;
      return;
    }
    const parent = this.#own(tokens.slice(0, -1));
    if (Array.isArray(parent)) parent[indexIn(parent, last, parent.length - 1)] = value;
    else setMember(parent, last, value);
  }

  remove(tokens: readonly string[]): void {
    const last = tokens.at(-1);
    if (last === undefined) throw unfitPatch('remove operation does not apply: the whole document cannot be removed');
    this.read(tokens);
    const parent = this.#own(tokens.slice(0, -1));
    if (Array.isArray(parent)) parent.splice(indexIn(parent, last, parent.length - 1), 1);
    else delete parent[last];
  }

  copy(from: readonly string[], tokens: readonly string[]): void {
    const source = this.read(from);
    this.#copied += JSON.stringify(source).length;
    if (this.#copied > MAX_JSON_PATCH_COPIED) {
      throw unfitPatch(
        `Unable to complete the copy, the accumulated size increase of copy is ${this.#copied}, exceeding the limit ${MAX_JSON_PATCH_COPIED}`,
      );
    }
    // A clone, since the source may be owned and would then change in two places.
    this.add(tokens, cloneJson(source));
  }

  /** The container at a path, made writable along the way. */
  #own(tokens: readonly string[]): unknown[] | JsonObject {
    let current = this.#writable(this.root, tokens);
    this.root = current;
    for (const token of tokens) {
      const below = this.#writable(child(current, token), tokens);
      if (Array.isArray(current)) current[indexIn(current, token, current.length - 1)] = below;
      else setMember(current, token, below);
      current = below;
    }
    return current;
  }

  #writable(container: unknown, tokens: readonly string[]): unknown[] | JsonObject {
    if (typeof container !== 'object' || container === null) throw missing(tokens);
    if (this.#owned.has(container)) return container as JsonObject;
    const copy = Array.isArray(container) ? [...container] : { ...(container as JsonObject) };
    this.#owned.add(copy);
    return copy;
  }
}

function child(container: unknown, token: string): unknown {
  if (Array.isArray(container)) return isIndex(token) ? container[Number(token)] : undefined;
  return isObject(container) ? member(container, token) : undefined;
}

function isIndex(token: string): boolean {
  return /^(?:0|[1-9]\d{0,8})$/.test(token);
}

function indexIn(list: readonly unknown[], token: string, highest: number): number {
  if (!isIndex(token) || Number(token) > highest) {
    throw unfitPatch(`Unable to access invalid index: ${token} in a list of ${list.length}: invalid index referenced`);
  }
  return Number(token);
}

function missing(tokens: readonly string[]): StatusError {
  const path = tokens.map((token) => `/${token.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
  return unfitPatch(`operation does not apply: doc is missing path: "${path}": missing value`);
}
