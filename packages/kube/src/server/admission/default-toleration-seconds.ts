/** A pod stays five minutes on a node that is lost, unless it says otherwise. */
import type { AdmissionStep } from '../engine.ts';
import { isNewPod, specOf, type Toleration } from './lookup.ts';

const SECONDS = 300;
const TAINTS = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'] as const;

export const defaultTolerationSeconds: AdmissionStep = {
  name: 'DefaultTolerationSeconds',
  admit: (_engine, admitted) => {
    if (!isNewPod(admitted)) return;
    const spec = specOf(admitted.object);
    const missing = TAINTS.filter((taint) => !(spec.tolerations ?? []).some((one) => tolerates(one, taint)));
    if (missing.length === 0) return;
    const added = missing.map((key) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: SECONDS }));
    spec.tolerations = [...(spec.tolerations ?? []), ...added];
  },
};

function tolerates({ key, effect, operator }: Toleration, taint: string): boolean {
  const isAnyKey = (key === undefined || key === '') && operator === 'Exists';
  return (key === taint || isAnyKey) && (effect === undefined || effect === '' || effect === 'NoExecute');
}
