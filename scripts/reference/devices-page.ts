/** The reference page of devices: every field of every kind and protocol, from the schemas that check them. */
import { deviceCrds, protocols } from '@skerry/devices';

interface Field {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Field>>;
  readonly items?: Field;
  readonly additionalProperties?: Field;
}

interface Definition {
  readonly spec?: {
    readonly names: { readonly kind: string };
    readonly scope: string;
    readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: Field } }[];
  };
}

export function devicesPage(generated: string): string {
  const kinds = deviceCrds().map((definition) => kindSection(definition as unknown as Definition));
  return `# Devices

${generated}

Kinds of \`devices.skerry.io/v1alpha1\` and what each protocol adds to a Device. How they are used: [devices](../guide/devices.md).
Drivers of your own: [driver protocol](driver-protocol.md). Fields in **bold** must be there.

${kinds.join('\n')}
# Protocols

What stands in \`connection.options\`, in \`address\` of a visitor, a command or an event, and in \`scan\` of a DeviceDiscovery.

${protocols()
  .map(({ name, description, options, address, command, event, scan }) => {
    const parts = { options, address, 'address of a command': command, 'address of an event': event, scan };
    const tables = Object.entries(parts).flatMap(([title, schema]) =>
      schema === undefined ? [] : [`### ${name}: ${title}\n\n${table(schema as Field)}`],
    );
    return `## ${name}\n\n${description}\n\n${tables.join('\n')}`;
  })
  .join('\n')}`;
}

function kindSection({ spec }: Definition): string {
  const schema = spec?.versions[0]?.schema.openAPIV3Schema ?? {};
  const parts = Object.entries(schema.properties ?? {}).map(
    ([part, field]) => `### ${spec?.names.kind}: ${part}\n\n${table(field)}`,
  );
  const scope = spec?.scope === 'Cluster' ? ' It has no namespace.' : '';
  return `## ${spec?.names.kind}\n\n${schema.description}${scope}\n\n${parts.join('\n')}`;
}

function table(schema: Field): string {
  const rows = fieldRows(schema, '');
  return `| field | type | default | what it is |\n|---|---|---|---|\n${rows.join('\n')}\n`;
}

function fieldRows({ properties = {}, required = [] }: Field, prefix: string): readonly string[] {
  return Object.entries(properties).flatMap(([name, field]) => {
    const [inner, suffix] = innerOf(field);
    const path = `${prefix}${name}${suffix}`;
    const shown = required.includes(name) ? `**${path}**` : path;
    const fallback = field.default === undefined ? '' : `\`${JSON.stringify(field.default)}\``;
    const row = `| ${[shown, typeText(inner), fallback, cell(describe(field))].join(' | ')} |`;
    return [row, ...fieldRows(inner, `${path}.`)];
  });
}

/** Lists and maps are shown by what is in them. */
function innerOf(field: Field): readonly [Field, string] {
  if (field.items !== undefined) return [field.items, '[]'];
  if (field.additionalProperties !== undefined) return [field.additionalProperties, '{}'];
  return [field, ''];
}

function typeText({ type = 'any', enum: values }: Field): string {
  return values === undefined ? type : values.map(String).join(', ');
}

function describe({ description = '', minimum, maximum }: Field): string {
  const range = [
    minimum === undefined ? [] : [`at least ${minimum}`],
    maximum === undefined ? [] : [`at most ${maximum}`],
  ].flat();
  return range.length === 0 ? description : `${description} (${range.join(', ')})`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
