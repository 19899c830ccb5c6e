/** Fields that an apply would take from another manager. */
import { StatusError } from '../../status.ts';
import { eachCommon, type FieldSet } from './field-set.ts';
import type { Manager } from './managers.ts';
import { formatPath } from './path-element.ts';

export interface FieldConflict {
  /** As the message names the other manager: `"kubectl" using apps/v1`. */
  readonly manager: string;
  /** `.spec.replicas`. */
  readonly path: string;
}

export function findConflicts(changed: FieldSet, others: readonly Manager[]): FieldConflict[] {
  const conflicts: FieldConflict[] = [];
  for (const other of others) {
    eachCommon(other.fields, changed, (path) =>
      conflicts.push({ manager: describeManager(other), path: formatPath(path) }),
    );
  }
  return conflicts;
}

/** 409 Conflict with one FieldManagerConflict cause for each field. */
export function conflictError(conflicts: readonly FieldConflict[]): StatusError {
  const causes = conflicts.map(({ manager, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${manager}`,
    field: path,
  }));
  return new StatusError(409, 'Conflict', describeConflicts(conflicts), { causes });
}

function describeConflicts(conflicts: readonly FieldConflict[]): string {
  const [first] = conflicts;
  if (conflicts.length === 1 && first !== undefined) {
    return `Apply failed with 1 conflict: conflict with ${first.manager}: ${first.path}`;
  }
  const byManager = Map.groupBy(conflicts, ({ manager }) => manager);
  const parts = [...byManager.keys()].sort().map((manager) => {
    const paths = byManager.get(manager)?.map(({ path }) => `- ${path}`) ?? [];
    return `conflicts with ${manager}:\n${paths.join('\n')}`;
  });
  return `Apply failed with ${conflicts.length} conflicts: ${parts.join('\n')}`;
}

function describeManager({ name, operation, apiVersion, subresource, time }: Manager): string {
  const named = `"${name}"${subresource === '' ? '' : ` with subresource "${subresource}"`}`;
  if (operation === 'Apply') return named;
  return `${named} using ${apiVersion}${time === undefined ? '' : ` at ${time}`}`;
}
