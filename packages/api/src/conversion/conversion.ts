/** Another shape of what is stored, for kinds that are served in versions which differ by more than their name. */
import type { KubeObject } from '../object.ts';

export interface Conversion {
  /** From the stored version to the served one. Neither changes what it is given. */
  readonly toServed: (stored: KubeObject) => KubeObject;
  readonly toStored: (served: KubeObject) => KubeObject;
}
