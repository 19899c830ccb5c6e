/** Retentions with `cloud: true`: the cloud’s time series keep to them. What none of them matches is kept without end. */
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import { keyOf, runController, startInformer, watching } from '@skerry/kube/controller';
import { heldBecause, holderOf, type Keeper, keeperOf, ownRetention } from '../edge/retention/retention-plan.ts';
import { StatusTeller } from '../edge/status-teller.ts';
import { objectAt } from '../engine/rule/parameters.ts';
import { RETENTIONS } from '../kinds/group.ts';
import type { Retention } from '../kinds/retention.ts';
import type { NodeStatus } from '../kinds/shared.ts';
import type { Telemetry } from './telemetry.ts';

export interface CloudRetentionsOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly telemetry: Pick<Telemetry, 'keep'>;
}

/** In the status, where a node has its name. */
const CLOUD = 'cloud';

/** Works until `signal` aborts; resolves when it has ended. */
export async function startCloudRetentions(options: CloudRetentionsOptions): Promise<void> {
  const { telemetry } = options;
  const retentions = startInformer<Retention>(options, { gvr: RETENTIONS });
  const teller = new StatusTeller({ ...options, node: CLOUD });
  const keepers = new Map<string, Keeper>();
  const failed = new Map<string, string>();
  let before = '';
  const keep = () => {
    const specs = JSON.stringify([...keepers.keys()].map((key) => [key, retentions.cache.get(key)?.spec]));
    if (specs === before) return;
    before = specs;
    telemetry.keep({}, ownRetention([...keepers.values()]));
  };
  const viewOf = (key: string): NodeStatus => {
    const lastError = failed.get(key);
    return { state: lastError === undefined ? 'Running' : 'Failed', lastError: lastError ?? '' };
  };
  const reconcile = async (key: string): Promise<undefined> => {
    const object = retentions.cache.get(key);
    keepers.delete(key);
    failed.delete(key);
    if (object === undefined || object.spec.cloud === false) {
      await teller.forget(`retentions ${key}`);
    } else {
      teller.set(`retentions ${key}`, { gvr: RETENTIONS, object, view: () => viewOf(key) });
      try {
        keepers.set(key, keeperOf(objectAt(object, undefined)));
      } catch (error) {
        failed.set(key, heldBecause(messageOf(error)));
        keepers.set(key, holderOf(object, undefined));
      }
    }
    keep();
  };
  const watches = [watching(retentions, ({ object }) => [keyOf(object)])];
  await runController({ name: 'retentions', watches, reconcile }, options);
  await teller.close();
}
