/** A pod's runtime class says what it costs and on which nodes it runs. */
import { type AdmissionStep, type Admitted, type Engine, groupResource } from '../engine.ts';
import { jsonEqual } from '../json-equal.ts';
import { forbidden } from '../statuses.ts';
import { isNewPod, lookUp, type PodSpec, specOf, type Toleration } from './lookup.ts';

interface RuntimeClass {
  readonly overhead?: { readonly podFixed?: Record<string, unknown> };
  readonly scheduling?: {
    readonly nodeSelector?: Readonly<Record<string, string>>;
    readonly tolerations?: readonly Toleration[];
  };
}

export const runtimeClass: AdmissionStep = {
  name: 'RuntimeClass',
  admit: (engine, admitted) => {
    if (!isNewPod(admitted)) return;
    const spec = specOf(admitted.object);
    const found = findClass(engine, admitted, spec.runtimeClassName);
    applyOverhead(admitted, spec, found?.overhead?.podFixed);
    if (found?.scheduling !== undefined) applyScheduling(admitted, spec, found.scheduling);
  },
};

function findClass(engine: Engine, admitted: Admitted, name: string | undefined): RuntimeClass | undefined {
  if (name === undefined || name === '') return undefined;
  const found = lookUp(engine, 'node.k8s.io', 'runtimeclasses', { name });
  if (found === undefined) refuse(admitted, `pod rejected: RuntimeClass "${name}" not found`);
  return found as RuntimeClass | undefined;
}

function applyOverhead(admitted: Admitted, spec: PodSpec, podFixed: Record<string, unknown> | undefined): void {
  if (spec.overhead !== undefined && !jsonEqual(spec.overhead, podFixed ?? {})) {
    refuse(
      admitted,
      podFixed === undefined
        ? 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead'
        : "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
    );
  }
  if (podFixed !== undefined) spec.overhead = podFixed;
}

function applyScheduling(
  admitted: Admitted,
  spec: PodSpec,
  { nodeSelector, tolerations = [] }: NonNullable<RuntimeClass['scheduling']>,
): void {
  for (const [label, value] of Object.entries(nodeSelector ?? {})) {
    const own = spec.nodeSelector?.[label];
    if (own !== undefined && own !== value) {
      const both = `runtimeClass.scheduling.nodeSelector[${label}] = ${value}; pod.spec.nodeSelector[${label}] = ${own}`;
      refuse(admitted, `pod rejected: conflict: ${both}`);
    }
  }
  if (nodeSelector !== undefined) spec.nodeSelector = { ...spec.nodeSelector, ...nodeSelector };
  const added = tolerations.filter((one) => !(spec.tolerations ?? []).some((own) => jsonEqual(own, one)));
  if (added.length > 0) spec.tolerations = [...(spec.tolerations ?? []), ...added];
}

function refuse({ kind, name }: Admitted, why: string): never {
  throw forbidden(groupResource(kind), name, why);
}
