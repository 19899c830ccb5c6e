/** How a server is, said by each process that has a share of it, and together as the status of the object. Pure. */
import type { OpcUaServerStatus, OpcUaShard } from '../../resources/opcua-server.ts';
import type { RejectedCertificate } from '../../resources/trust-list.ts';
import type { ServerFigures } from './gateway-server.ts';

export interface ServerReport {
  /** Why it does not serve as its object says. */
  readonly failure?: string;
  readonly applicationUri?: string;
  readonly certificateThumbprint?: string;
  /** Of one that runs. */
  readonly endpoint?: string;
  readonly figures: ShareFigures;
  readonly rejectedCertificates: readonly RejectedCertificate[];
}

export interface ShareFigures extends ServerFigures {
  readonly devices: number;
  readonly variables: number;
  readonly changesPerSecond: number;
}

export const NO_FIGURES: ShareFigures = {
  devices: 0,
  variables: 0,
  sessions: 0,
  subscriptions: 0,
  monitoredItems: 0,
  overflows: 0,
  loginsTurnedAway: 0,
  changesPerSecond: 0,
};

/** Of a status. */
const MAX_REJECTED = 32;

/** By share, the first one's first; undefined for a process that has not said anything yet. */
export function statusOf(
  generation: number,
  reports: readonly (ServerReport | undefined)[],
): Omit<OpcUaServerStatus, 'nodes'> {
  const known = reports.filter((report) => report !== undefined);
  const lastError = failureOf(reports);
  const { endpoint, certificateThumbprint } = reports[0] ?? {};
  return {
    observedGeneration: generation,
    state: lastError !== '' ? 'Failed' : known.length < reports.length ? 'Pending' : 'Serving',
    lastError,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(certificateThumbprint === undefined ? {} : { certificateThumbprint }),
    processes: known.filter((report) => report.endpoint !== undefined).length,
    ...totalOf(known.map(({ figures }) => figures)),
    shards: reports.length === 1 ? [] : reports.map(shardOf),
    rejectedCertificates: newestOf(known.flatMap(({ rejectedCertificates }) => rejectedCertificates)),
  };
}

function failureOf(reports: readonly (ServerReport | undefined)[]): string {
  const at = reports.findIndex((report) => report?.failure !== undefined);
  const failure = reports[at]?.failure ?? '';
  return at > 0 ? `shard ${at + 1}: ${failure}` : failure;
}

function totalOf(all: readonly ShareFigures[]): ShareFigures {
  const sum = (name: keyof ShareFigures) => all.reduce((total, figures) => total + figures[name], 0);
  return {
    devices: sum('devices'),
    variables: sum('variables'),
    sessions: sum('sessions'),
    subscriptions: sum('subscriptions'),
    monitoredItems: sum('monitoredItems'),
    overflows: sum('overflows'),
    loginsTurnedAway: sum('loginsTurnedAway'),
    changesPerSecond: sum('changesPerSecond'),
  };
}

function shardOf(report: ServerReport | undefined): OpcUaShard {
  const { endpoint, applicationUri, certificateThumbprint, figures = NO_FIGURES } = report ?? {};
  return {
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(applicationUri === undefined ? {} : { applicationUri }),
    ...(certificateThumbprint === undefined ? {} : { certificateThumbprint }),
    devices: figures.devices,
  };
}

/** Whoever knocks at several is one. */
function newestOf(all: readonly RejectedCertificate[]): readonly RejectedCertificate[] {
  const newestFirst = all.toSorted((a, b) => (b.seenAt ?? '').localeCompare(a.seenAt ?? ''));
  const seen = new Set<string>();
  return newestFirst.filter(({ thumbprint }) => !seen.has(thumbprint) && seen.add(thumbprint)).slice(0, MAX_REJECTED);
}
