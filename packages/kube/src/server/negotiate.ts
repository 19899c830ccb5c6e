/** Which form of an answer the client accepts: plain objects, Tables, or metadata only. */
import { notAcceptable } from './statuses.ts';

export type Form = 'object' | 'table' | 'metadata';

/** How an answer is to be written. */
export interface Wanted {
  readonly form: Form;
  readonly contentType: string;
  readonly pretty: boolean;
}

export interface MediaRange {
  readonly type: string;
  readonly params: Readonly<Record<string, string>>;
  readonly quality: number;
}

const JSON_TYPE = 'application/json';

// JSON is YAML, so who accepts only YAML gets the same bytes.
const YAML_TYPE = 'application/yaml';

const OFFERED = [JSON_TYPE, YAML_TYPE, 'application/vnd.kubernetes.protobuf'] as const;

/** The longest Accept header that is looked at, in media ranges. */
const MAX_RANGES = 32;

/** `forms` are those that what is asked for can take; the first of the client's wishes that can be met is. */
export function negotiate(
  accept: string | undefined,
  query: URLSearchParams,
  forms: readonly Form[] = ['object', 'table', 'metadata'],
): Wanted {
  const pretty = isTrue(query.get('pretty'));
  if (accept === undefined || accept === '' || accept === JSON_TYPE) {
    return { form: 'object', contentType: JSON_TYPE, pretty };
  }
  for (const range of parseAccept(accept)) {
    const contentType = contentTypeFor(range.type);
    if (contentType === undefined) continue;
    const form = formFor(range.params);
    if (form !== undefined && forms.includes(form)) return { form, contentType, pretty };
  }
  throw notAcceptable(OFFERED);
}

/** The ranges of an Accept header, the most wanted first. */
export function parseAccept(accept: string): MediaRange[] {
  const ranges = accept.split(',').slice(0, MAX_RANGES).map(parseRange);
  return ranges.filter(({ quality }) => quality > 0).sort((left, right) => right.quality - left.quality);
}

/** A query flag: present and not `false` or `0`. */
export function isTrue(value: string | null): boolean {
  return value !== null && value !== 'false' && value !== '0';
}

function parseRange(text: string): MediaRange {
  const [type = '', ...rest] = text.split(';');
  const params: Record<string, string> = {};
  for (const part of rest) {
    const equals = part.indexOf('=');
    if (equals > 0) params[part.slice(0, equals).trim().toLowerCase()] = part.slice(equals + 1).trim();
  }
  const quality = params['q'] === undefined ? 1 : Number(params['q']);
  return { type: type.trim().toLowerCase(), params, quality: Number.isNaN(quality) ? 0 : quality };
}

function contentTypeFor(type: string): string | undefined {
  if (type === JSON_TYPE || type === '*/*' || type === 'application/*') return JSON_TYPE;
  return type === YAML_TYPE || type === 'text/yaml' ? YAML_TYPE : undefined;
}

function formFor(params: Readonly<Record<string, string>>): Form | undefined {
  const { as, g: group, v: version } = params;
  if (as === undefined) return 'object';
  if (group !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) return undefined;
  if (as === 'Table') return 'table';
  return as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList' ? 'metadata' : undefined;
}
