/** Admission policies: apart from the server, since the language that they are written in is large and only the cloud speaks it. */
import { Cel } from '@skerry/api/cel';
import type { Reviewer } from '../review/contract.ts';
import { policyDefinitions } from './definition.ts';
import { mutatingPolicies } from './mutating.ts';
import { validatingPolicies } from './validating.ts';

/** In the order in which they are asked. */
export function admissionPolicies(cel: Cel = new Cel()): Reviewer[] {
  return [policyDefinitions(cel), mutatingPolicies(cel), validatingPolicies(cel)];
}
