/** The steps of a field path: `f:NAME`, `k:{KEYS}` of a keyed list, `v:VALUE` of a set. */
import { isObject, member } from '../../json.ts';
import type { Schema } from '../../schema.ts';

export function fieldElement(name: string): string {
  return `f:${name}`;
}

/** How the items of a merging list are told apart; made once for each schema. */
export interface ItemNaming {
  /** The element of an item; undefined when it has none of the keys. */
  readonly elementOf: (item: unknown) => string | undefined;
}

const namings = new WeakMap<Schema, ItemNaming>();

export function itemNaming(list: Schema): ItemNaming {
  const known = namings.get(list);
  if (known !== undefined) return known;
  const naming = list.listType === 'set' ? { elementOf: valueElement } : keyedNaming(list);
  namings.set(list, naming);
  return naming;
}

function valueElement(item: unknown): string {
  return `v:${JSON.stringify(item)}`;
}

function keyedNaming(list: Schema): ItemNaming {
  const keys = [...(list.listMapKeys ?? [])].sort();
  const parts = keys.map((key) => ({
    key,
    prefix: `${JSON.stringify(key)}:`,
    default: list.items?.properties?.[key]?.default,
  }));
  return {
    elementOf: (item) => {
      if (!isObject(item)) return undefined;
      let text = '';
      for (const part of parts) {
        const value = member(item, part.key) ?? part.default;
        if (value === undefined || value === null) continue;
        text += `${text === '' ? '' : ','}${part.prefix}${JSON.stringify(value)}`;
      }
      return text === '' ? undefined : `k:{${text}}`;
    },
  };
}

/** `.spec.template.spec.containers[name="web"].image`, as conflicts name a field. */
export function formatPath(path: readonly string[]): string {
  return path.map(formatElement).join('');
}

function formatElement(element: string): string {
  const body = element.slice(2);
  switch (element.slice(0, 2)) {
    case 'f:':
      return `.${body}`;
    case 'k:':
      return `[${formatKeys(body)}]`;
    case 'v:':
      return `[=${body}]`;
    default:
      return `[${body}]`;
  }
}

function formatKeys(body: string): string {
  try {
    const keys: unknown = JSON.parse(body);
    if (!isObject(keys)) return body;
    return Object.entries(keys)
      .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
      .join(',');
  } catch {
    // Clients write managedFields too; a key that is no JSON is shown as it is.
    return body;
  }
}
