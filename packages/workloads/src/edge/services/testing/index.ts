/** For benchmarks: the parts whose speed counts. */
import { encode } from 'dns-packet';

export { namesOf } from '../names.ts';
export { openResolver } from '../resolver.ts';
export { formatChange, formatRuleset, planRules, type Ruleset } from '../ruleset.ts';
export type { ServiceView } from '../service-view.ts';

export function addressQuery(name: string, id: number): Buffer {
  return encode({ type: 'query', id, questions: [{ type: 'A', name }] });
}
