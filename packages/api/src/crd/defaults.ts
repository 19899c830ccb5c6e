/** What a definition means when its author left it out, and the status that says it is served. */
import type { CustomResourceDefinition, CustomResourceDefinitionCondition } from '../generated/types.ts';

/** In place: singular, listKind, scope's conversion; gives the definition back. */
export function applyDefinitionDefaults(definition: CustomResourceDefinition): CustomResourceDefinition {
  const { spec } = definition;
  if (spec?.names === undefined) return definition;
  const { names } = spec;
  if (typeof names.kind === 'string') {
    names.singular ??= names.kind.toLowerCase();
    names.listKind ??= `${names.kind}List`;
  }
  spec.conversion ??= { strategy: 'None' };
  for (const version of Array.isArray(spec.versions) ? spec.versions : []) {
    for (const rule of version.additionalPrinterColumns ?? []) rule.priority ??= 0;
  }
  return definition;
}

/** The names are free and the schema is sound: accepted and established, with every storage version so far. */
export function establishedStatus(
  definition: CustomResourceDefinition,
  now: string,
): NonNullable<CustomResourceDefinition['status']> {
  const storage = definition.spec.versions.find((version) => version.storage)?.name;
  const stored = definition.status?.storedVersions ?? [];
  return {
    conditions: [
      condition(definition, {
        type: 'NamesAccepted',
        status: 'True',
        reason: 'NoConflicts',
        message: 'no conflicts found',
        now,
      }),
      condition(definition, {
        type: 'Established',
        status: 'True',
        reason: 'InitialNamesAccepted',
        message: 'the initial names have been accepted',
        now,
      }),
    ],
    acceptedNames: definition.spec.names,
    storedVersions: storage === undefined || stored.includes(storage) ? stored : [...stored, storage],
  };
}

/** The names belong to another definition: not served, and the condition says why. */
export function conflictingStatus(
  definition: CustomResourceDefinition,
  reason: string,
  message: string,
  now: string,
): NonNullable<CustomResourceDefinition['status']> {
  return {
    conditions: [
      condition(definition, { type: 'NamesAccepted', status: 'False', reason, message, now }),
      condition(definition, {
        type: 'Established',
        status: 'False',
        reason: 'NotAccepted',
        message: 'not all names are accepted',
        now,
      }),
    ],
    acceptedNames: { plural: '', kind: '' },
    storedVersions: definition.status?.storedVersions ?? [],
  };
}

/** A condition keeps the time at which its status last changed. */
function condition(
  definition: CustomResourceDefinition,
  next: {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly message: string;
    readonly now: string;
  },
): CustomResourceDefinitionCondition {
  const { now, ...rest } = next;
  const before = definition.status?.conditions?.find((each) => each.type === next.type);
  return { ...rest, lastTransitionTime: before?.status === next.status ? (before.lastTransitionTime ?? now) : now };
}
