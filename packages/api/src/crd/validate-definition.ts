/** Whether a CustomResourceDefinition can be served; the texts are those of Kubernetes. */
import type { CustomResourceDefinition, CustomResourceDefinitionVersion, JSONSchemaProps } from '../generated/types.ts';
import { isObject } from '../json.ts';
import type { FieldError } from '../schema.ts';
import { duplicate, forbidden, invalid, notSupported, required } from '../walker/field-errors.ts';
import type { CustomRules } from './custom-rules.ts';
import { customResourceSchema } from './structural-schema.ts';
import { validateStructuralSchema } from './validate-schema.ts';

const DNS_LABEL = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;
const VERSION_NAME = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL_TEXT =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const SCOPES = ['Cluster', 'Namespaced'];
const STRATEGIES = ['None', 'Webhook'];
const COLUMN_TYPES = ['boolean', 'date', 'integer', 'number', 'string'];
const MAX_SELECTABLE_FIELDS = 8;

/** On a definition whose types fit its own schema and that has its defaults. Without `rules`, its rules are taken as they are. */
export function validateDefinition(definition: CustomResourceDefinition, rules?: CustomRules): FieldError[] {
  const { spec, metadata } = definition;
  if (spec?.names === undefined) return [required('spec.names')];
  const name = `${spec.names.plural}.${spec.group}`;
  return [
    ...(metadata.name === name
      ? []
      : [invalid('metadata.name', metadata.name ?? '', 'must be spec.names.plural+"."+spec.group')]),
    ...checkGroup(spec.group),
    ...(SCOPES.includes(spec.scope) ? [] : [notSupported('spec.scope', spec.scope, SCOPES)]),
    ...checkNames(definition),
    ...checkVersions(spec.versions ?? []),
    ...(spec.versions ?? []).flatMap((version, index) => checkVersion(version, `spec.versions[${index}]`, rules)),
    ...checkConversion(definition),
  ];
}

/** What an update may not change: the identity of what is stored. */
export function validateDefinitionUpdate(
  next: CustomResourceDefinition,
  before: CustomResourceDefinition,
): FieldError[] {
  const fields = [
    ['spec.group', next.spec.group, before.spec.group],
    ['spec.scope', next.spec.scope, before.spec.scope],
    ['spec.names.plural', next.spec.names.plural, before.spec.names.plural],
    ['spec.names.kind', next.spec.names.kind, before.spec.names.kind],
  ] as const;
  const moved = fields
    .filter(([, now, then]) => now !== then)
    .map(([path, now]) => invalid(path, now, 'field is immutable'));
  const names = new Set(next.spec.versions.map((version) => version.name));
  const lost = (before.status?.storedVersions ?? []).filter((stored) => !names.has(stored));
  return [
    ...moved,
    ...lost.map((stored) =>
      invalid(
        'status.storedVersions[0]',
        stored,
        `missing from spec.versions; ${stored} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${stored} and removes ${stored} from status.storedVersions`,
      ),
    ),
  ];
}

/** What the author should know although the definition is accepted; goes into `Warning` headers. */
export function definitionWarnings({ spec }: CustomResourceDefinition): string[] {
  return (spec.versions ?? []).flatMap((version, index) =>
    hasRules(version.schema?.openAPIV3Schema)
      ? [
          `spec.versions[${index}].schema.openAPIV3Schema: x-kubernetes-validations are kept, but not evaluated by this server`,
        ]
      : [],
  );
}

function hasRules(schema: JSONSchemaProps | undefined): boolean {
  if (schema === undefined) return false;
  if ((schema['x-kubernetes-validations']?.length ?? 0) > 0) return true;
  const { properties, additionalProperties, items } = schema;
  const below = [...Object.values(properties ?? {}), additionalProperties, items];
  return below.some((each) => isObject(each) && hasRules(each));
}

function checkGroup(group: string): FieldError[] {
  if (group === undefined || group === '') return [required('spec.group')];
  if (group.length > 253 || !SUBDOMAIN.test(group))
    return [
      invalid(
        'spec.group',
        group,
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
      ),
    ];
  return group.includes('.') ? [] : [invalid('spec.group', group, 'should be a domain with at least one dot')];
}

function checkNames({ spec: { names } }: CustomResourceDefinition): FieldError[] {
  const errors: FieldError[] = [];
  const label = (path: string, value: string | undefined) => {
    if (value === undefined || value === '') errors.push(required(path));
    else if (!DNS_LABEL.test(value)) errors.push(invalid(path, value, LABEL_TEXT));
  };
  label('spec.names.plural', names.plural);
  label('spec.names.singular', names.singular);
  for (const [path, value] of [
    ['spec.names.kind', names.kind],
    ['spec.names.listKind', names.listKind],
  ] as const) {
    if (value === undefined || value === '') errors.push(required(path));
    else if (!DNS_LABEL.test(value.toLowerCase()))
      errors.push(invalid(path, value, `may have mixed case, but should otherwise match: ${LABEL_TEXT}`));
  }
  for (const [index, each] of (names.shortNames ?? []).entries()) label(`spec.names.shortNames[${index}]`, each);
  for (const [index, each] of (names.categories ?? []).entries()) label(`spec.names.categories[${index}]`, each);
  if (names.kind !== undefined && names.kind === names.listKind)
    errors.push(invalid('spec.names.listKind', names.listKind, 'kind and listKind may not be the same'));
  return errors;
}

function checkVersions(versions: readonly CustomResourceDefinitionVersion[]): FieldError[] {
  if (versions.length === 0) return [required('spec.versions', 'must have at least one version')];
  const seen = new Set<string>();
  const errors = versions.flatMap((version, index): FieldError[] => {
    const path = `spec.versions[${index}].name`;
    const isRepeated = seen.has(version.name);
    seen.add(version.name);
    if (isRepeated) return [duplicate(path, version.name)];
    return VERSION_NAME.test(version.name) ? [] : [invalid(path, version.name, LABEL_TEXT)];
  });
  const stored = versions.filter((version) => version.storage).length;
  if (stored !== 1)
    errors.push(
      invalid(
        'spec.versions',
        versions.map((each) => each.name),
        'must have exactly one version marked as storage version',
      ),
    );
  return errors;
}

function checkVersion(
  version: CustomResourceDefinitionVersion,
  path: string,
  rules: CustomRules | undefined,
): FieldError[] {
  const schemaPath = `${path}.schema.openAPIV3Schema`;
  const root = version.schema?.openAPIV3Schema;
  return [
    ...(root === undefined ? [required(schemaPath, 'schemas are required')] : checkSchema(root, schemaPath, rules)),
    ...checkColumns(version, `${path}.additionalPrinterColumns`),
    ...checkScale(version, `${path}.subresources.scale`),
    ...checkSelectable(version, `${path}.selectableFields`),
    ...(version.deprecationWarning !== undefined && version.deprecated !== true
      ? [invalid(`${path}.deprecationWarning`, version.deprecationWarning, 'can only be set for deprecated versions')]
      : []),
  ];
}

/** Rules are read only where the schema around them can be. */
function checkSchema(root: JSONSchemaProps, path: string, rules: CustomRules | undefined): readonly FieldError[] {
  const faults = validateStructuralSchema(root, path);
  return faults.length > 0 || rules === undefined ? faults : rules.check(customResourceSchema(root), path);
}

function checkColumns(
  { additionalPrinterColumns: columns = [] }: CustomResourceDefinitionVersion,
  path: string,
): FieldError[] {
  return columns.flatMap((column, index) => [
    ...(column.name ? [] : [required(`${path}[${index}].name`)]),
    ...(COLUMN_TYPES.includes(column.type) ? [] : [notSupported(`${path}[${index}].type`, column.type, COLUMN_TYPES)]),
    ...(column.jsonPath?.startsWith('.')
      ? []
      : [invalid(`${path}[${index}].jsonPath`, column.jsonPath ?? '', 'must start with a dot')]),
  ]);
}

function checkScale({ subresources }: CustomResourceDefinitionVersion, path: string): FieldError[] {
  const scale = subresources?.scale;
  if (scale === undefined) return [];
  const below = (name: string, value: string | undefined, root: string) =>
    value?.startsWith(root) === true
      ? []
      : [invalid(`${path}.${name}`, value ?? '', `should be a json path under ${root.slice(0, -1)}`)];
  const selector = scale.labelSelectorPath;
  const isSelectorFine = selector === undefined || selector === '' || /^\.(spec|status)\./.test(selector);
  return [
    ...below('specReplicasPath', scale.specReplicasPath, '.spec.'),
    ...below('statusReplicasPath', scale.statusReplicasPath, '.status.'),
    ...(isSelectorFine
      ? []
      : [invalid(`${path}.labelSelectorPath`, selector, 'should be a json path under either .spec or .status')]),
  ];
}

function checkSelectable({ selectableFields = [] }: CustomResourceDefinitionVersion, path: string): FieldError[] {
  if (selectableFields.length > MAX_SELECTABLE_FIELDS)
    return [forbidden(path, `must have at most ${MAX_SELECTABLE_FIELDS} items`)];
  return selectableFields.flatMap(({ jsonPath }, index) =>
    /^(\.[A-Za-z_][\w-]*)+$/.test(jsonPath ?? '') && !jsonPath.startsWith('.metadata.')
      ? []
      : [invalid(`${path}[${index}].jsonPath`, jsonPath ?? '', 'must be a simple path to a field outside of metadata')],
  );
}

function checkConversion({ spec }: CustomResourceDefinition): FieldError[] {
  const { conversion } = spec;
  if (conversion === undefined) return [];
  const path = 'spec.conversion.strategy';
  if (!STRATEGIES.includes(conversion.strategy)) return [notSupported(path, conversion.strategy, STRATEGIES)];
  if (conversion.strategy === 'None') return [];
  if (conversion.webhook?.clientConfig === undefined)
    return [required('spec.conversion.webhook.clientConfig', 'required when strategy is set to Webhook')];
  // With one version there is nothing to convert; with more, objects would be served in a wrong form without anybody noticing.
  const served = (spec.versions ?? []).filter((version) => version.served);
  return served.length > 1
    ? [forbidden(path, 'conversion webhooks are not called by this server, so only one version may be served')]
    : [];
}
