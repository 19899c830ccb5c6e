/** Every requirement, by what it needs: a case, or what is missing. A new case goes into a file of `cases/`. */
import { KIND_CASES } from './cases/kinds.ts';
import { MISSING, MISSING_WITH_NODES } from './cases/missing.ts';
import type { Group } from './coverage.ts';
import type { Entry } from './requirement.ts';

export const CATALOGUE: Readonly<Record<Group, readonly Entry[]>> = {
  'Without nodes': [...KIND_CASES, ...MISSING],
  'With nodes': [...MISSING_WITH_NODES],
};
