/** Runs the admission steps in their order. */
import type { Admitted, Engine } from './engine.ts';

export function admit(engine: Engine, admitted: Admitted): void {
  for (const step of engine.admission) step.admit(engine, admitted);
}
