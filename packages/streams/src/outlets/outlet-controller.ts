/** Outlets of this process: those that are its own run, and say how they do. */
import { type Clock, messageOf } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import { type ControllerSpec, type Informer, keyOf, watching } from '@skerry/kube/controller';
import { RateMeter } from '../edge/rate-meter.ts';
import { readSecret, type Secret, textIn } from '../edge/secrets.ts';
import type { StatusTeller } from '../edge/status-teller.ts';
import { objectAt } from '../engine/rule/parameters.ts';
import { OUTLETS } from '../kinds/group.ts';
import type { Outlet } from '../kinds/index.ts';
import type { OutletNodeStatus } from '../kinds/outlet.ts';
import type { ExportReport, ScheduledExports } from '../query/export/scheduled-exports.ts';
import type { OutletHub } from './outlet-hub.ts';
import type { Credentials } from './target.ts';

export interface OutletControllerOptions {
  readonly outlets: Informer<Outlet>;
  readonly client: Client;
  readonly clock: Clock;
  readonly hub: OutletHub;
  readonly exports: ScheduledExports;
  readonly teller: StatusTeller;
  readonly isOwn: (outlet: Outlet) => boolean;
  /** Whose parameters count; none of a node in the cloud. */
  readonly node: string | undefined;
}

/** A Secret that has changed is used from then on. */
const LOOK_AGAIN_MS = 60_000;

export function outletController({
  outlets,
  client,
  clock,
  hub,
  exports,
  teller,
  isOwn,
  node,
}: OutletControllerOptions): ControllerSpec {
  const failed = new Map<string, string>();
  const meters = new Map<string, { readonly meter: RateMeter; metered: number }>();
  const perSecond = (key: string, delivered: number): number => {
    const known = meters.get(key) ?? { meter: new RateMeter(clock), metered: delivered };
    meters.set(key, known);
    known.meter.add(Math.max(0, delivered - known.metered));
    known.metered = delivered;
    return known.meter.perSecond();
  };
  return {
    name: 'outlets',
    watches: [watching(outlets, ({ object }) => [keyOf(object)])],
    reconcile: async (key) => {
      const outlet = outlets.cache.get(key);
      if (outlet === undefined || !isOwn(outlet)) {
        failed.delete(key);
        meters.delete(key);
        exports.remove(key);
        await hub.remove(key);
        await teller.forget(`outlets ${key}`);
        return undefined;
      }
      const view = (): OutletNodeStatus => {
        const exported = exports.report(key);
        if (exported !== undefined) return exportViewOf(exported);
        const report = hub.report(key);
        const status = viewOf(report, failed.get(key));
        return report === undefined ? status : { ...status, sentRowsPerSecond: perSecond(key, report.delivered) };
      };
      teller.set(`outlets ${key}`, { gvr: OUTLETS, object: outlet, view });
      try {
        const object = objectAt(outlet, node);
        if (exports.set(key, object)) {
          failed.delete(key);
          await hub.remove(key);
          return undefined;
        }
        hub.declare(key, object);
        const secret = await readSecret(client, object.metadata.namespace ?? '', object.spec.secretName);
        await hub.connect(key, object, credentialsOf(secret));
        failed.delete(key);
      } catch (error) {
        failed.set(key, messageOf(error));
      }
      return { afterMs: LOOK_AGAIN_MS };
    },
  };
}

function exportViewOf({ problem, ...done }: ExportReport): OutletNodeStatus {
  return { state: problem === undefined ? 'Running' : 'Waiting', lastError: problem ?? '', ...done };
}

function viewOf(report: ReturnType<OutletHub['report']>, failure: string | undefined): OutletNodeStatus {
  if (report === undefined) return { state: failure === undefined ? 'Pending' : 'Failed', lastError: failure ?? '' };
  const { problem, refusal, delivered, dropped, live } = report;
  return {
    state: (failure ?? problem) === undefined ? 'Running' : 'Waiting',
    lastError: failure ?? problem ?? refusal ?? '',
    sentRows: delivered,
    queuedRows: live.rows,
    queuedBytes: live.bytes,
    dropped: { ...dropped },
  };
}

function credentialsOf(secret: Secret): Credentials {
  const names = {
    username: 'username',
    password: 'password',
    token: 'token',
    certificate: 'tls.crt',
    key: 'tls.key',
    authority: 'ca.crt',
  } as const;
  const found = Object.entries(names).flatMap(([name, key]) => {
    const text = textIn(secret, key);
    return text === undefined ? [] : [[name, text] as const];
  });
  return Object.fromEntries(found);
}
