/** `format.dns1123Label().validate(text)`: what is wrong with a text, or nothing. */
import { type Environment, Optional } from '@marcbachmann/cel-js';
import { hasFormat } from '../../walker/formats.ts';
import { addFunctions } from './functions.ts';

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const LABEL_TEXT =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
const SUBDOMAIN_TEXT =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
const LABEL_1035_TEXT =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";

type Check = (text: string) => readonly string[];

/** A name that is still to be completed may end in what a whole one may not. */
function shaped(pattern: RegExp, maxLength: number, text: string, isPrefix = false): Check {
  return (value) => [
    ...(value.length > maxLength ? [`must be no more than ${maxLength} characters`] : []),
    ...(pattern.test(isPrefix ? value.replace(/-$/, 'a') : value) ? [] : [text]),
  ];
}

function ofFormat(format: string, text: string): Check {
  return (value) => (hasFormat(value, format) ? [] : [text]);
}

const label = new RegExp(`^${LABEL}$`);
const subdomain = new RegExp(`^${LABEL}(\\.${LABEL})*$`);
const label1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const qualified = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const labelValue = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;

const FORMATS: Readonly<Record<string, Check>> = {
  dns1123Label: shaped(label, 63, LABEL_TEXT),
  dns1123Subdomain: shaped(subdomain, 253, SUBDOMAIN_TEXT),
  dns1035Label: shaped(label1035, 63, LABEL_1035_TEXT),
  dns1123LabelPrefix: shaped(label, 63, LABEL_TEXT, true),
  dns1123SubdomainPrefix: shaped(subdomain, 253, SUBDOMAIN_TEXT, true),
  dns1035LabelPrefix: shaped(label1035, 63, LABEL_1035_TEXT, true),
  qualifiedName: shaped(qualified, 317, "name part must consist of alphanumeric characters, '-', '_' or '.'"),
  labelValue: shaped(
    labelValue,
    63,
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.'",
  ),
  uri: ofFormat('uri', 'invalid URI'),
  uuid: ofFormat('uuid', 'does not match the UUID format'),
  byte: ofFormat('byte', 'invalid base64'),
  date: ofFormat('date', 'invalid date'),
  datetime: ofFormat('date-time', 'invalid datetime'),
};

class NamedFormat {
  readonly name: string;
  readonly check: Check;

  constructor(name: string, check: Check) {
    this.name = name;
    this.check = check;
  }
}

class FormatNamespace {}

export function addNamedFormats(environment: Environment): void {
  const type = 'kubernetes.NamedFormat';
  environment.registerType(type, NamedFormat);
  environment.registerType('FormatNamespace', FormatNamespace);
  environment.registerConstant('format', 'FormatNamespace', new FormatNamespace());
  environment.registerOperator(`${type} == ${type}`, (a: NamedFormat, b: NamedFormat) => a.name === b.name);
  const known = Object.entries(FORMATS).map(([name, check]) => [name, new NamedFormat(name, check)] as const);
  const byName = new Map(known);
  addFunctions(environment, {
    [`FormatNamespace.named(string): optional<${type}>`]: (_: unknown, name: string) => optionalOf(byName.get(name)),
    [`${type}.validate(string): optional<list<string>>`]: ({ check }: NamedFormat, text: string) => {
      const faults = check(text);
      return optionalOf(faults.length === 0 ? undefined : [...faults]);
    },
    ...Object.fromEntries(known.map(([name, format]) => [`FormatNamespace.${name}(): ${type}`, () => format])),
  });
}

function optionalOf(value: unknown): unknown {
  return value === undefined ? Optional.none() : Optional.of(value);
}
