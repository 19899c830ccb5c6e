/** A pod's resolv.conf: whom it asks and how, by its dnsPolicy and dnsConfig, as a kubelet decides it. Pure. */
import type { Pod, PodDnsConfig } from '../pod/types.ts';
import { CLUSTER_DOMAIN } from './names.ts';

export interface DnsSettings {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  /** As in resolv.conf: `ndots:5`, `rotate`. */
  readonly options: readonly string[];
}

/** What resolvers heed. */
const MAX_SERVERS = 3;
const MAX_SEARCHES = 32;
const MAX_SEARCH_LETTERS = 2048;
/** So that `web.shop.svc` is tried below the search domains first. */
const CLUSTER_OPTIONS = ['ndots:5'];

export interface DnsSources {
  readonly host: DnsSettings;
  /** Where cluster names are answered; absent where they are not. */
  readonly clusterServer?: string;
}

/** Undefined when the pod has what the host has. */
export function dnsSettingsOf(pod: Pod, { host, clusterServer }: DnsSources): DnsSettings | undefined {
  const { dnsPolicy = 'ClusterFirst', dnsConfig, hostNetwork } = pod.spec;
  const wantsCluster =
    dnsPolicy === 'ClusterFirstWithHostNet' || (dnsPolicy === 'ClusterFirst' && hostNetwork !== true);
  const ofCluster = wantsCluster && clusterServer !== undefined;
  if (!ofCluster && dnsPolicy !== 'None' && dnsConfig === undefined) return undefined;
  const base = dnsPolicy === 'None' ? NOTHING : ofCluster ? clusterSettings(pod, host, clusterServer) : host;
  return bounded(withConfig(base, dnsConfig));
}

const NOTHING: DnsSettings = { servers: [], searches: [], options: [] };

function clusterSettings({ metadata: { namespace } }: Pod, host: DnsSettings, server: string): DnsSettings {
  const own = [`${namespace}.svc.${CLUSTER_DOMAIN}`, `svc.${CLUSTER_DOMAIN}`, CLUSTER_DOMAIN];
  return { servers: [server], searches: [...own, ...host.searches], options: CLUSTER_OPTIONS };
}

function withConfig(
  base: DnsSettings,
  { nameservers = [], searches = [], options = [] }: PodDnsConfig = {},
): DnsSettings {
  const named = options.map(({ name, value }) => (value === undefined ? name : `${name}:${value}`));
  const nameOf = (option: string) => option.split(':')[0];
  const replaced = new Set(named.map(nameOf));
  return {
    servers: unique([...base.servers, ...nameservers]),
    searches: unique([...base.searches, ...searches]),
    options: [...base.options.filter((option) => !replaced.has(nameOf(option))), ...named],
  };
}

function bounded({ servers, searches, options }: DnsSettings): DnsSettings {
  const kept: string[] = [];
  for (const search of searches.slice(0, MAX_SEARCHES)) {
    if ([...kept, search].join(' ').length <= MAX_SEARCH_LETTERS) kept.push(search);
  }
  return { servers: servers.slice(0, MAX_SERVERS), searches: kept, options };
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}

export function parseResolvConf(text: string): DnsSettings {
  const lines = text.split('\n').map((line) =>
    line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/),
  );
  const of = (word: string) => lines.filter(([first]) => first === word).map(([, ...rest]) => rest);
  return {
    servers: of('nameserver').flatMap(([server = '']) => (server === '' ? [] : [server])),
    // The last line counts; `domain` is a search list of one.
    searches: [...of('domain'), ...of('search')].at(-1) ?? [],
    options: of('options').flat(),
  };
}

export function formatResolvConf({ servers, searches, options }: DnsSettings): string {
  return [
    ...servers.map((server) => `nameserver ${server}`),
    ...(searches.length === 0 ? [] : [`search ${searches.join(' ')}`]),
    ...(options.length === 0 ? [] : [`options ${options.join(' ')}`]),
    '',
  ].join('\n');
}
