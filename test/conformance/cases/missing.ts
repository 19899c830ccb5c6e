/** Names that wait for their feature or their case. Whoever brings it takes the line away and adds the case to a file beside. */
import { type Missing, missing } from '../requirement.ts';

export const MISSING: readonly Missing[] = [];

export const MISSING_WITH_NODES: readonly Missing[] = [];
