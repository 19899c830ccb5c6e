/** The cloud: store, API server, controllers, hub and listeners, put together. Composition only; each part lives elsewhere. */
import { StatusError } from '@skerry/api';
import { type Clock, hasCode, type Logger } from '@skerry/base';
import { type FlagValues, formatHostPort, type HostPort, listenAt } from '@skerry/base/flags';
import { createInProcessClient, formatKubeconfig } from '@skerry/kube/client';
import { openConcerns } from '@skerry/kube/replica';
import { builtinKinds, createApiServer, listenHttps, ResourceTable } from '@skerry/kube/server';
import { formatKey, openStore, type Store } from '@skerry/kube/store';
import { createUpgradeHandler, type NodeDialer } from '@skerry/kube/streaming';
import { keySigner, openAuditLog } from '@skerry/security/audit';
import { nodeOfCertificate, securityCrds } from '@skerry/security/identity';
import { credentialToPem, openPki, type Pki, parseCertificate, writePrivateFile } from '@skerry/security/pki';
import { keyFileFor, openSealer } from '@skerry/security/secrets';
import { startControllers } from '@skerry/workloads/cloud';
import { parse as parseYaml } from 'yaml';
import { accessHooks, openAccess, tokenKeyPaths } from './access.ts';
import { nodeRestrictionStep } from './admission.ts';
import { backupPath } from './backup/route.ts';
import { bootstrap } from './bootstrap.ts';
import { type CloudPaths, cloudPaths, makeFolders } from './data-dir.ts';
import { cloudErrors } from './errors.ts';
import type { cloudFlags } from './flags.ts';
import { openHub } from './hub.ts';
import { followRevocations } from './identity.ts';
import { publishLink } from './link-facts.ts';
import { advertisedNames, firstAddress, localHost } from './machine-names.ts';
import { linkDialer } from './node-dialer.ts';
import { sweepTokens } from './token-sweeper.ts';

export interface CloudOptions {
  readonly flags: FlagValues<ReturnType<typeof cloudFlags>>;
  readonly keyDir: string;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Cloud {
  /** What whoever started this process is told: server, kubeconfig, link address. */
  readonly facts: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** The cloud's own requests: everything is allowed, and the audit log says who it was. */
const SYSTEM_USER = { username: 'system:skerry-cloud', groups: ['system:masters', 'system:authenticated'] };
const CREDENTIAL_CHECK_MS = 6 * 3_600_000;

export async function runCloud(options: CloudOptions): Promise<Cloud> {
  const { flags, clock, log, version } = options;
  const paths = cloudPaths(flags['data-dir']);
  makeFolders(paths);
  // The store's lock comes first: a second cloud in the same directory touches neither its keys nor its audit log.
  const store = openAlone(paths, clock, log);
  const keyFile = flags['key-file'] ?? keyFileFor(options.keyDir, paths.root);
  const sealer = openSealer({ keyFile, checkFile: paths.keyCheck });
  const names = advertisedNames(flags.advertise, flags.listen);
  const pki = openPki(paths.pki, { clock, names });
  const audit = await openAuditLog({ directory: paths.audit, signer: keySigner(pki.authority.key), clock, log });
  const revocations = followRevocations(store);

  const table = new ResourceTable(builtinKinds());
  const rows = () => table.all().map(({ row }) => row);
  const concerns = openConcerns({ store, rows, log });
  table.onChange(() => concerns.refresh());
  const access = openAccess({
    store,
    pki,
    clock,
    rows,
    concerns: (node, key) => concerns.concerns(node, key),
    isRevoked: (certificate) => revocations.isRevoked(certificate),
  });
  const apiAddress = `https://${formatHostPort({ host: firstAddress(names), port: flags.listen.port })}`;
  const dialer = lateDialer();
  const api = createApiServer({
    store,
    table,
    clock,
    log,
    audit,
    sealer,
    dialer,
    parseYaml: (text) => parseYaml(text) as unknown,
    authorizer: access.authorizer,
    access: accessHooks(access),
    admission: [nodeRestrictionStep],
    extraPaths: [...tokenKeyPaths(pki, apiAddress), backupPath({ store, paths, keyFile, version, clock })],
  });
  const client = createInProcessClient({ handle: (request) => api.handle(request), user: SYSTEM_USER });
  await bootstrap({
    client,
    definitions: securityCrds(),
    exists: ({ group, resource }, namespace, name) =>
      store.get(formatKey({ group, resource, namespace, name })) !== undefined,
  });

  const hub = openHub({
    store,
    sealer,
    api,
    client,
    concerns,
    rows,
    pki,
    revocations,
    audit,
    clock,
    log,
    rejoinWindowMs: flags['rejoin-window'],
  });
  dialer.use(linkDialer(hub.hub));
  const linkAt = flags['link-listen'] ?? { host: flags.listen.host, port: flags.listen.port + 1 };
  const linkPort = await listenAt('link-listen', linkAt, () => hub.listen(linkAt));
  await publishLink(client, { names: linkNames(names, linkAt), port: linkPort, pki });

  const upgrades = createUpgradeHandler({ dialer, log });
  const { authenticator } = access;
  const listener = await listenAt('listen', flags.listen, () =>
    listenHttps({ server: api, authenticator, upgrades, ...flags.listen, tls: servingTls(pki), clock, log }),
  );
  const server = `https://${formatHostPort({ host: localHost(flags.listen), port: listener.port ?? flags.listen.port })}`;
  const writeKubeconfig = () =>
    writePrivateFile(paths.kubeconfig, formatKubeconfig({ server, ca: pki.caPem, ...credentialToPem(pki.admin) }));
  writeKubeconfig();
  const forget = revocations.onRevoked((node) => listener.disconnect((certificate) => isOfNode(certificate, node)));

  const stopping = new AbortController();
  const controllers = startControllers({
    client,
    rows: rows(),
    clock,
    log,
    signal: stopping.signal,
    rootCa: pki.caPem,
    nodeGraceMs: flags['node-monitor-grace-period'],
    apiEndpoint: { address: firstAddress(names), port: listener.port ?? flags.listen.port },
  });
  void sweepTokens({ client, clock, log, signal: stopping.signal });
  void renewCredentials(clock, stopping.signal, () => {
    if (!pki.refresh()) return;
    listener.setTls(servingTls(pki));
    hub.listener.refreshCertificate();
    writeKubeconfig();
  });
  log.info({ server, link: formatHostPort({ ...linkAt, port: linkPort }), dataDir: paths.root }, 'serving');
  return {
    facts: { server, kubeconfig: paths.kubeconfig, link: formatHostPort({ ...linkAt, port: linkPort }) },
    stop: async () => {
      stopping.abort();
      forget();
      await controllers.ended;
      await hub.stop();
      await listener.close();
      api.close();
      concerns.close();
      await store.close();
      await audit.close();
    },
  };
}

function openAlone({ root, store }: CloudPaths, clock: Clock, log: Logger): Store {
  try {
    return openStore({ file: store, clock, log });
  } catch (cause) {
    if (!hasCode(cause, 'STORE_LOCKED')) throw cause;
    throw cloudErrors.ALREADY_RUNNING({ dir: root, holder: cause.facts['holder'] }, { cause });
  }
}

/** A node that speaks to the API itself loses its watches with its certificate. */
function isOfNode(certificate: Uint8Array, node: string): boolean {
  try {
    return nodeOfCertificate(parseCertificate(certificate)) === node;
  } catch {
    return false;
  }
}

function servingTls(pki: Pki) {
  return { ...credentialToPem(pki.serving), ca: pki.caPem };
}

/** Nodes join under the same names, unless the link listens on one address of its own. */
function linkNames(names: readonly string[], { host }: HostPort): readonly string[] {
  const isOpen = host === '0.0.0.0' || host === '::';
  return isOpen || names.includes(host) ? names : [host, ...names];
}

/** The API server is made before the hub that its streams go through. */
function lateDialer(): NodeDialer & { use(dialer: NodeDialer): void } {
  let current: NodeDialer | undefined;
  return {
    use: (dialer) => {
      current = dialer;
    },
    open: (node, request, signal) => {
      if (current === undefined)
        return Promise.reject(new StatusError(503, 'ServiceUnavailable', 'the hub is still starting'));
      return current.open(node, request, signal);
    },
  };
}

async function renewCredentials(clock: Clock, signal: AbortSignal, check: () => void): Promise<void> {
  try {
    for (;;) {
      await clock.sleep(CREDENTIAL_CHECK_MS, signal);
      check();
    }
  } catch {
    // Aborted: the cloud is stopping.
  }
}
