/** Request bodies: JSON, YAML or protobuf in; a plain value out. */

import { decodeProtobuf, MAX_JSON_DEPTH, nestsDeeperThan, parseJson, strictDecodingIssues } from '@skerry/api/walker';
import type { ApiRequest } from './contract.ts';
import { badRequest, unsupportedMediaType } from './statuses.ts';

/** A decoded body. */
export interface Body {
  readonly value: unknown;
  /** What strict decoding objects to: keys that stand twice, in the words of the form that the body came in. */
  readonly problems: readonly string[];
}

const ACCEPTED = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'] as const;

const decoder = new TextDecoder('utf-8', { fatal: true });

export type ParseYaml = (text: string) => Body;

/** The body of a create or an update, or the options of a delete. */
export function decodeBody(request: Pick<ApiRequest, 'headers' | 'body'>, parseYaml?: ParseYaml): Body {
  const { body } = request;
  if (body === undefined || body.length === 0) return { value: undefined, problems: [] };
  switch (mediaTypeOf(request.headers['content-type'])) {
    case '':
    case 'application/json':
      return decodeJson(body);
    case 'application/yaml':
    case 'text/yaml':
      return decodeYaml(body, parseYaml);
    case 'application/vnd.kubernetes.protobuf':
      return { value: decodeProtobuf(body).object, problems: [] };
    default:
      throw unsupportedMediaType(ACCEPTED);
  }
}

export function decodeJson(body: Uint8Array): Body {
  return parseJsonBody(decodeText(body));
}

function parseJsonBody(text: string): Body {
  const { value, duplicates } = parseJson(text, { findDuplicates: true });
  return { value, problems: strictDecodingIssues({ duplicates }) };
}

/** YAML, of which JSON is a part: parsed as JSON when it begins like an object, so that the common case needs no parser. */
export function decodeYaml(body: Uint8Array, parseYaml?: ParseYaml): Body {
  const text = decodeText(body);
  // Here, and not in the YAML parser, which spends a hundred times as long on finding out.
  if (nestsDeeperThan(text, MAX_JSON_DEPTH)) throw badRequest(`exceeded max depth of ${MAX_JSON_DEPTH}`);
  if (/^\s*[{[]/.test(text)) {
    try {
      const body = parseJsonBody(text);
      // The words for a key that stands twice are those of YAML here, with the line.
      if (body.problems.length === 0 || parseYaml === undefined) return body;
    } catch {
      // Flow-style YAML begins like JSON; the YAML parser decides.
    }
  }
  if (parseYaml === undefined) throw unsupportedMediaType(['application/json']);
  try {
    return parseYaml(text);
  } catch (cause) {
    throw Object.assign(badRequest('error converting YAML to JSON'), { cause });
  }
}

export function mediaTypeOf(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

function decodeText(body: Uint8Array): string {
  try {
    return decoder.decode(body);
  } catch (cause) {
    throw Object.assign(badRequest('the body is not valid UTF-8'), { cause });
  }
}
