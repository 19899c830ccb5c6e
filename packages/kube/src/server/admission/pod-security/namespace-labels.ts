/** The labels of a namespace that set its standard: they must make sense, and who raises it hears of pods that break it. */
import type { KubeObject } from '@skerry/api';
import {
  formatStandard,
  isStricter,
  policyFaults,
  policyOf,
  type Standard,
  violationsOf,
} from '@skerry/api/pod-security';
import type { Pod } from '@skerry/api/types';
import { keyPrefix } from '../../../store/key.ts';
import type { Admitted, Engine } from '../../engine.ts';
import { toServedObject } from '../../object-text.ts';
import { invalid } from '../../statuses.ts';

/** A warning takes time of everybody; beyond this only some of the pods are looked at. */
const MAX_PODS = 3000;
const MAX_WARNINGS = 20;

export function admitNamespace(engine: Engine, admitted: Admitted): void {
  const { object, old, subresource, name, kind } = admitted;
  if (subresource !== undefined) return;
  const faults = policyFaults(object.metadata);
  // What was wrong before does not stand in the way of other changes.
  const isNews = old === undefined || policyFaults(old.metadata).length === 0;
  if (faults.length > 0 && isNews) throw invalid(kind.row.gvk, name, faults);
  if (old !== undefined) warnOfPods(engine, admitted, old);
}

function warnOfPods(engine: Engine, { object, name, warnings }: Admitted, old: KubeObject): void {
  const wanted = policyOf(object.metadata).enforce;
  const before = policyOf(old.metadata).enforce;
  const isSame = formatStandard(wanted) === formatStandard(before);
  if (warnings === undefined || isSame || wanted.level === 'privileged' || isStricter(before, wanted)) return;
  const found = violatingPods(engine, name, wanted);
  if (found.size === 0) return;
  const head = `existing pods in namespace "${name}" violate the new PodSecurity enforce level "${formatStandard(wanted)}"`;
  if (warnings.includes(head)) return;
  warnings.push(head);
  for (const [reasons, pods] of [...found].slice(0, MAX_WARNINGS)) warnings.push(`${someOf(pods)}: ${reasons}`);
}

/** The names of pods by what they break. */
function violatingPods({ store }: Engine, namespace: string, standard: Standard): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const stored of store.list(keyPrefix('', 'pods', namespace), { limit: MAX_PODS }).items) {
    const { metadata, spec } = toServedObject(stored) as Pod;
    const violations = spec === undefined ? [] : violationsOf(metadata, spec, standard);
    if (violations.length === 0) continue;
    const reasons = violations.map(({ reason }) => reason).join(', ');
    found.set(reasons, [...(found.get(reasons) ?? []), metadata.name ?? '']);
  }
  return found;
}

function someOf([first = '', ...rest]: readonly string[]): string {
  if (rest.length === 0) return first;
  return `${first} (and ${rest.length} other pod${rest.length === 1 ? '' : 's'})`;
}
