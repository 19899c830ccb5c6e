/** The rules of structural schemas (apiextensions v1): what a schema must say, and what only value validations may say. */
import type { JSONSchemaProps } from '../generated/types.ts';
import { isObject } from '../json.ts';
import type { FieldError } from '../schema.ts';
import { forbidden, invalid, notSupported, required } from '../walker/field-errors.ts';
import { compilePattern } from '../walker/pattern/index.ts';
import { validateAt } from '../walker/validate.ts';
import { structuralSchema } from './structural-schema.ts';

const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const LIST_TYPES = ['atomic', 'map', 'set'];
const MAP_TYPES = ['atomic', 'granular'];

/** Schemas inside schemas; far beyond what people write, and safe to walk. */
const MAX_DEPTH = 100;
const MAX_ERRORS = 100;

/** Keywords that OpenAPI has and structural schemas do not. */
const FORBIDDEN = [
  'id',
  '$schema',
  '$ref',
  'definitions',
  'dependencies',
  'patternProperties',
  'additionalItems',
] as const;

interface Walk {
  readonly errors: FieldError[];
  readonly path: string;
  readonly depth: number;
}

export function validateStructuralSchema(root: JSONSchemaProps, path: string): FieldError[] {
  const walk: Walk = { errors: [], path, depth: 0 };
  checkRoot(root, walk);
  checkSchema(root, walk, 'at the root');
  return walk.errors.slice(0, MAX_ERRORS);
}

function checkRoot(root: JSONSchemaProps, { errors, path }: Walk): void {
  if (root.type !== undefined && root.type !== '' && root.type !== 'object')
    errors.push(invalid(`${path}.type`, root.type, 'must be object at the root'));
  const extra = Object.keys(root.properties?.metadata?.properties ?? {}).filter(
    (key) => key !== 'name' && key !== 'generateName',
  );
  if (extra.length > 0)
    errors.push(
      forbidden(
        `${path}.properties[metadata]`,
        'must not specify anything other than name and generateName, but metadata is implicitly specified',
      ),
    );
}

function checkSchema(schema: JSONSchemaProps, walk: Walk, where: string): void {
  const { errors, path } = walk;
  if (errors.length >= MAX_ERRORS) return;
  if (walk.depth > MAX_DEPTH) {
    errors.push(forbidden(path, `must not nest deeper than ${MAX_DEPTH} levels`));
    return;
  }
  checkType(schema, walk, where);
  checkKeywords(schema, walk);
  checkList(schema, walk);
  checkDefault(schema, walk);
  checkChildren(schema, walk);
  checkLogic(schema, walk);
}

function checkType(schema: JSONSchemaProps, { errors, path }: Walk, where: string): void {
  const isFree =
    schema['x-kubernetes-int-or-string'] === true || schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (schema.type === undefined || schema.type === '') {
    if (!isFree || where === 'at the root') errors.push(required(`${path}.type`, `must not be empty ${where}`));
  } else if (!TYPES.includes(schema.type)) errors.push(notSupported(`${path}.type`, schema.type, TYPES));
  const isEmbedded = schema['x-kubernetes-embedded-resource'] === true;
  if (isEmbedded && schema.type !== 'object')
    errors.push(invalid(`${path}.type`, schema.type ?? '', 'must be object if x-kubernetes-embedded-resource is true'));
  if (schema['x-kubernetes-int-or-string'] === true && schema.type !== undefined && schema.type !== '')
    errors.push(invalid(`${path}.type`, schema.type, 'must be empty if x-kubernetes-int-or-string is true'));
}

function checkKeywords(schema: JSONSchemaProps, { errors, path }: Walk): void {
  for (const name of FORBIDDEN) {
    if (schema[name] !== undefined) errors.push(forbidden(`${path}.${name}`, `${name} is not supported`));
  }
  if (schema.uniqueItems === true)
    errors.push(
      forbidden(
        `${path}.uniqueItems`,
        'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
      ),
    );
  if (schema.pattern !== undefined && compilePattern(schema.pattern) === undefined)
    errors.push(invalid(`${path}.pattern`, schema.pattern, 'must be a valid regular expression of RE2 syntax'));
  if (schema['x-kubernetes-preserve-unknown-fields'] === false)
    errors.push(invalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined'));
}

function checkList(schema: JSONSchemaProps, { errors, path }: Walk): void {
  const listType = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  if (listType !== undefined && !LIST_TYPES.includes(listType))
    errors.push(notSupported(`${path}.x-kubernetes-list-type`, listType, LIST_TYPES));
  if (listType !== undefined && schema.type !== 'array')
    errors.push(invalid(`${path}.type`, schema.type ?? '', 'must be array if x-kubernetes-list-type is specified'));
  if (listType === 'map' && keys.length === 0)
    errors.push(required(`${path}.x-kubernetes-list-map-keys`, 'must not be empty if x-kubernetes-list-type is map'));
  if (listType !== 'map' && keys.length > 0)
    errors.push(forbidden(`${path}.x-kubernetes-list-map-keys`, 'must be empty if x-kubernetes-list-type is not map'));
  if (listType === 'map') checkMapKeys(schema, keys, { errors, path });
  const mapType = schema['x-kubernetes-map-type'];
  if (mapType !== undefined && !MAP_TYPES.includes(mapType))
    errors.push(notSupported(`${path}.x-kubernetes-map-type`, mapType, MAP_TYPES));
}

/** A key that may be missing would leave items without identity. */
function checkMapKeys(schema: JSONSchemaProps, keys: readonly string[], at: Pick<Walk, 'errors' | 'path'>): void {
  const items = isObject(schema.items) ? (schema.items as JSONSchemaProps) : {};
  for (const key of keys) {
    const property = items.properties?.[key];
    if (property === undefined)
      at.errors.push(
        invalid(`${at.path}.x-kubernetes-list-map-keys`, keys, 'entries must all be names of item properties'),
      );
    else if (property.default === undefined && items.required?.includes(key) !== true)
      at.errors.push(
        required(
          `${at.path}.items.properties[${key}].default`,
          'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
        ),
      );
  }
}

function checkDefault(schema: JSONSchemaProps, { errors, path }: Walk): void {
  if (schema.default === undefined) return;
  const found = validateAt([], schema.default, structuralSchema(schema));
  if (found.length > 0) errors.push(invalid(`${path}.default`, schema.default, found[0]?.message ?? 'must validate'));
}

function checkChildren(schema: JSONSchemaProps, walk: Walk): void {
  const { errors, path, depth } = walk;
  const { properties, additionalProperties, items } = schema;
  if (additionalProperties === false)
    errors.push(forbidden(`${path}.additionalProperties`, 'additionalProperties cannot be set to false'));
  if (properties !== undefined && Object.keys(properties).length > 0 && additionalProperties !== undefined)
    errors.push(forbidden(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'));
  for (const [name, each] of Object.entries(properties ?? {})) {
    checkSchema(each, { errors, path: `${path}.properties[${name}]`, depth: depth + 1 }, 'for specified object fields');
  }
  if (isObject(additionalProperties))
    checkSchema(
      additionalProperties,
      { errors, path: `${path}.additionalProperties`, depth: depth + 1 },
      'for specified object fields',
    );
  if (Array.isArray(items)) errors.push(forbidden(`${path}.items`, 'items must be a schema object and not an array'));
  else if (isObject(items))
    checkSchema(items, { errors, path: `${path}.items`, depth: depth + 1 }, 'for specified array items');
  else if (schema.type === 'array') errors.push(required(`${path}.items`, 'must be specified'));
}

function checkLogic(schema: JSONSchemaProps, { errors, path, depth }: Walk): void {
  const branches = [
    ...(['allOf', 'anyOf', 'oneOf'] as const).flatMap((name) =>
      (schema[name] ?? []).map((each, index) => [`${path}.${name}[${index}]`, each] as const),
    ),
    ...(schema.not === undefined ? [] : [[`${path}.not`, schema.not] as const]),
  ];
  for (const [at, each] of branches) checkBranch(each, { errors, path: at, depth: depth + 1 }, schema);
}

/** Branches restrict values; structure is said outside of them, once. */
function checkBranch(branch: JSONSchemaProps | null, walk: Walk, outer: JSONSchemaProps): void {
  const { errors, path, depth } = walk;
  // A null in a list of branches restricts nothing.
  if (branch === null || depth > MAX_DEPTH || errors.length >= MAX_ERRORS) return;
  const mayHaveType = outer['x-kubernetes-int-or-string'] === true;
  if (branch.type !== undefined && branch.type !== '' && !mayHaveType)
    errors.push(forbidden(`${path}.type`, 'must be empty to be structural'));
  for (const name of ['default', 'additionalProperties', 'nullable'] as const) {
    if (branch[name] !== undefined && branch[name] !== false)
      errors.push(forbidden(`${path}.${name}`, 'must be undefined to be structural'));
  }
  if (branch.pattern !== undefined && compilePattern(branch.pattern) === undefined)
    errors.push(invalid(`${path}.pattern`, branch.pattern, 'must be a valid regular expression of RE2 syntax'));
  for (const [name, each] of Object.entries(branch.properties ?? {})) {
    checkBranch(
      each,
      { errors, path: `${path}.properties[${name}]`, depth: depth + 1 },
      outer.properties?.[name] ?? {},
    );
  }
  checkLogic(branch, walk);
}
