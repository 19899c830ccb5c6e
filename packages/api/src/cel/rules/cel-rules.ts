/** The rules of custom resources: checked with their definition, evaluated at each write. */
import type { CustomRules, RuleResult } from '../../crd/custom-rules.ts';
import { isObject } from '../../json.ts';
import type { FieldError, Schema } from '../../schema.ts';
import { invalid } from '../../walker/field-errors.ts';
import { Cel } from '../cel.ts';
import { VISIBLE_METADATA } from '../schema-types.ts';
import { evaluateRules } from './evaluate.ts';
import { compileRules, type Rule } from './rule.ts';

/** Rules of one definition; each is compiled for each version. */
const MAX_RULES = 1000;

export function celRules(cel: Cel = new Cel()): CustomRules {
  const rulesOf = remembered((schema: Schema): readonly Rule[] => compileRules(cel, schema, '').rules);
  const hasRules = remembered(
    (schema: Schema): boolean => isRuled(schema) || childrenOf(schema).some(({ child }) => hasRules(child)),
  );
  const visible = remembered(withVisibleMetadata);
  return {
    check: (schema, path) => checkRules(cel, visible(schema), path),
    concerns: hasRules,
    validate: (object, old, schema): RuleResult => {
      const part = visible(schema);
      return hasRules(part) ? evaluateRules({ rulesOf, hasRules }, part, object, old) : { faults: [], warnings: [] };
    },
  };
}

/** Schemas stay as long as their definition, and with them what was made of them. */
function remembered<Value>(make: (schema: Schema) => Value): (schema: Schema) => Value {
  const known = new WeakMap<Schema, { readonly value: Value }>();
  return (schema) => {
    const found = known.get(schema) ?? { value: make(schema) };
    known.set(schema, found);
    return found.value;
  };
}

function isRuled({ validations }: Schema): boolean {
  return validations !== undefined && validations.length > 0;
}

/** What is known of the root's metadata and of that of embedded objects is the same for all, and large. */
function withVisibleMetadata(schema: Schema): Schema {
  const { properties } = schema;
  if (properties === undefined || !Object.hasOwn(properties, 'metadata')) return schema;
  return { ...schema, properties: Object.assign(Object.create(null), properties, { metadata: VISIBLE_METADATA }) };
}

interface Place {
  readonly schema: Schema;
  readonly path: string;
  /** Whether a value here is known again in the object as it was. */
  readonly isCorrelatable: boolean;
}

function checkRules(cel: Cel, root: Schema, rootPath: string): FieldError[] {
  const faults: FieldError[] = [];
  let count = 0;
  const visit = ({ schema, path, isCorrelatable }: Place): void => {
    if (isRuled(schema)) {
      count += schema.validations?.length ?? 0;
      if (count > MAX_RULES) return;
      const at = `${path}.x-kubernetes-validations`;
      const { rules, faults: found } = compileRules(cel, schema, at);
      faults.push(...found, ...(isCorrelatable ? [] : rules.flatMap((rule) => misplaced(rule, at))));
    }
    for (const { child, name, isCorrelatable: isKnown } of childrenOf(schema))
      visit({ schema: child, path: `${path}.${name}`, isCorrelatable: isCorrelatable && isKnown });
  };
  visit({ schema: root, path: rootPath, isCorrelatable: true });
  if (count > MAX_RULES) faults.push(invalid(rootPath, count, `must have at most ${MAX_RULES} rules`));
  return faults;
}

function misplaced({ isTransition, text }: Rule, at: string): FieldError[] {
  const why = 'oldSelf cannot be used on the uncorrelatable portion of the schema';
  return isTransition ? [invalid(`${at}.rule`, text, why)] : [];
}

interface Child {
  readonly child: Schema;
  readonly name: string;
  readonly isCorrelatable: boolean;
}

function childrenOf({ properties, additionalProperties, items, listType, mapType }: Schema): Child[] {
  const isGranular = mapType !== 'atomic';
  const named = Object.entries(properties ?? {}).filter((entry) => isObject(entry[1]));
  return [
    ...named.map(([name, child]) => ({ child, name: `properties[${name}]`, isCorrelatable: isGranular })),
    ...(additionalProperties === undefined
      ? []
      : [{ child: additionalProperties, name: 'additionalProperties', isCorrelatable: isGranular }]),
    ...(items === undefined ? [] : [{ child: items, name: 'items', isCorrelatable: listType === 'map' }]),
  ];
}
