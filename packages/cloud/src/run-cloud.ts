/** The cloud: store, API server, controllers, hub and listeners, put together. Composition only; each part lives elsewhere. */
import { join } from 'node:path';
import { StatusError } from '@skerry/api';
import { Cel, celRules } from '@skerry/api/cel';
import type { Clock, Logger } from '@skerry/base';
import { type FlagValues, formatHostPort, type HostPort, listenAt } from '@skerry/base/flags';
import { deviceCrds } from '@skerry/devices';
import { runDeviceControllers } from '@skerry/devices/cloud';
import { telemetryKinds } from '@skerry/devices/telemetry';
import { admissionPolicies } from '@skerry/kube/admission-policies';
import { type Client, createInProcessClient, formatKubeconfig } from '@skerry/kube/client';
import { type ApiServer, createApiServer, type Listener, listenHttps, virtualKind } from '@skerry/kube/server';
import { createUpgradeHandler, type NodeDialer } from '@skerry/kube/streaming';
import { nodeOfCertificate, securityCrds } from '@skerry/security/identity';
import { credentialToPem, type Pki, parseCertificate, writePrivateFile } from '@skerry/security/pki';
import { streamCrds } from '@skerry/streams';
import {
  createRehearsal,
  createTelemetry,
  createTrials,
  routePlaces,
  ruleTestsKind,
  startCloudOutlets,
  startCloudRetentions,
  TELEMETRY_PATH,
  type Telemetry,
  type Trials,
} from '@skerry/streams/cloud';
import { seriesKinds } from '@skerry/streams/telemetry';
import { imageCrds, nodeUsage, serveMetrics, startControllers } from '@skerry/workloads/cloud';
import { accessHooks, tokenKeyPaths } from './access.ts';
import { edgeFieldsStep, nodeRestrictionStep, revocationStep } from './admission.ts';
import { backupPath } from './backup/route.ts';
import { bootstrap } from './bootstrap.ts';
import { certificateRequestStep, certificateSigner } from './certificate-signer.ts';
import { renewCredentials } from './credential-renewal.ts';
import { deviceStep } from './device-admission.ts';
import type { cloudFlags } from './flags.ts';
import { type Ground, layGround } from './ground.ts';
import { openHub, type RunningHub } from './hub.ts';
import { publishLink } from './link-facts.ts';
import { firstAddress, localHost } from './machine-names.ts';
import { linkDialer } from './node-dialer.ts';
import { lateImages } from './node-images.ts';
import { type RegistryParts, type RunningRegistry, startRegistry } from './registry.ts';
import { runRoleAggregation } from './role-aggregation.ts';
import { readObject } from './store-reader.ts';
import { streamStep } from './stream-admission.ts';
import { sweepTokens } from './token-sweeper.ts';
import { parseYamlBody } from './yaml-body.ts';

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

/** Beside the cloud's own bundle. */
const SQL_PROGRAM = join(import.meta.dirname, 'series-sql.cjs');
const TRIAL_PROGRAM = join(import.meta.dirname, 'rule-trial.cjs');

/** The cloud's own requests: everything is allowed, and the audit log says who it was. */
const SYSTEM_USER = { username: 'system:skerry-cloud', groups: ['system:masters', 'system:authenticated'] };

export async function runCloud(options: CloudOptions): Promise<Cloud> {
  await using stack = new AsyncDisposableStack();
  const ground = await layGround(options, stack);
  const dialer = lateDialer();
  const { clock, log } = ground;
  const telemetry = createTelemetry({
    directory: ground.paths.series,
    clock,
    log,
    sql: { program: SQL_PROGRAM, exports: ground.paths.exports },
  });
  stack.defer(() => telemetry.close());
  const trials = stack.adopt(createTrials({ program: TRIAL_PROGRAM, clock }), (opened) => opened.close());
  const api = stack.adopt(openApi(ground, { dialer, telemetry, trials }), (opened) => opened.close());
  const client = createInProcessClient({ handle: (request) => api.handle(request), user: SYSTEM_USER });
  await bootstrap({
    client,
    definitions: [...securityCrds(), ...imageCrds(), ...deviceCrds(), ...streamCrds()],
    read: (gvr, namespace, name) => readObject(ground.store, { ...gvr, namespace, name }),
  });
  const images = lateImages(ground.log);
  const outlets = new AbortController();
  const sending = await startCloudOutlets({
    ...ground,
    client,
    telemetry,
    random: Math.random,
    signal: outlets.signal,
    file: ground.paths.outlets,
    folder: ground.paths.exports,
    allowed: ground.flags['outlet-allow'],
  });
  stack.defer(async () => {
    outlets.abort();
    await sending.ended;
  });
  const retentions = new AbortController();
  const keeping = startCloudRetentions({ ...ground, client, telemetry, signal: retentions.signal });
  stack.defer(async () => {
    retentions.abort();
    await keeping;
  });
  const routes = new AbortController();
  stack.defer(() => routes.abort());
  telemetry.admit(routePlaces({ ...ground, client, signal: routes.signal }));
  const hub = stack.adopt(openHub({ ...ground, api, client, blobs: images.door, telemetry }), (opened) =>
    opened.stop(),
  );
  dialer.use(linkDialer(hub.hub));
  serveMetrics(api.table, { client, usage: nodeUsage({ ...ground, dialer }) });
  const series = seriesKinds({ here: (asked) => telemetry.query(asked), dialer });
  for (const kind of [...telemetryKinds({ client, dialer, clock }), ...series, ruleTestsKind(client, trials)])
    api.table.replace(kind.row.gvr.group, kind.row.gvr.resource, [virtualKind(kind)]);
  const link = await listenForLinks(ground, hub, client);
  const listener = stack.adopt(await listenForClients(ground, api, dialer), (opened) => opened.close());
  const server = serverAddress(ground, listener);
  writeKubeconfig(ground, server);
  stack.defer(disconnectRevoked(ground, listener));
  const tls = servingTls(ground.pki);
  const onImages: RegistryParts['onImages'] = (given) => images.use(given);
  const registry = stack.use(await startRegistry({ ...ground, client, tls, onImages }));
  startWork(ground, { client, hub, listener, registry, server }, stack);
  ground.log.info({ server, link, dataDir: ground.paths.root }, 'serving');
  const running = stack.move();
  return { facts: { server, kubeconfig: ground.paths.kubeconfig, link }, stop: () => running.disposeAsync() };
}

interface Behind {
  readonly dialer: NodeDialer;
  readonly telemetry: Telemetry;
  readonly trials: Trials;
}

function openApi({ names, flags, access, ...ground }: Ground, { dialer, telemetry, trials }: Behind): ApiServer {
  const apiAddress = `https://${formatHostPort({ host: firstAddress(names), port: flags.listen.port })}`;
  const cel = new Cel();
  return createApiServer({
    ...ground,
    dialer,
    parseYaml: parseYamlBody,
    rules: celRules(cel),
    reviewers: admissionPolicies(cel),
    authorizer: access.authorizer,
    access: accessHooks(access),
    admission: [
      nodeRestrictionStep,
      edgeFieldsStep,
      revocationStep,
      certificateRequestStep,
      deviceStep,
      streamStep(createRehearsal(trials)),
    ],
    extraPaths: [
      ...tokenKeyPaths(ground.pki, apiAddress),
      backupPath({ ...ground, copySeries: (directory) => telemetry.copyTo(directory) }),
      { path: TELEMETRY_PATH, handle: (request) => telemetry.answer(request) },
    ],
  });
}

/** Gives back the address, after it was published for tokens. */
async function listenForLinks({ flags, names, pki }: Ground, hub: RunningHub, client: Client): Promise<string> {
  const at = flags['link-listen'] ?? { host: flags.listen.host, port: flags.listen.port + 1 };
  // An address that follows from --listen moves with it.
  const flag = flags['link-listen'] === undefined ? 'listen' : 'link-listen';
  const port = await listenAt(flag, at, () => hub.listen(at));
  await publishLink(client, { names: linkNames(names, at), port, pki });
  return formatHostPort({ ...at, port });
}

function listenForClients(
  { flags, access, pki, clock, log }: Ground,
  server: ApiServer,
  dialer: NodeDialer,
): Promise<Listener> {
  const upgrades = createUpgradeHandler({ dialer, log });
  const { authenticator } = access;
  return listenAt('listen', flags.listen, () =>
    listenHttps({ server, authenticator, upgrades, ...flags.listen, tls: servingTls(pki), clock, log }),
  );
}

function serverAddress({ flags }: Ground, { port = flags.listen.port }: Listener): string {
  return `https://${formatHostPort({ host: localHost(flags.listen), port })}`;
}

function writeKubeconfig({ paths, pki }: Ground, server: string): void {
  writePrivateFile(paths.kubeconfig, formatKubeconfig({ server, ca: pki.caPem, ...credentialToPem(pki.admin) }));
}

interface Served {
  readonly client: Client;
  readonly hub: RunningHub;
  readonly listener: Listener;
  readonly registry: RunningRegistry;
  readonly server: string;
}

/** Controllers and what else goes on by itself; ends before anything it works with is closed. */
function startWork(
  ground: Ground,
  { client, hub, listener, registry, server }: Served,
  stack: AsyncDisposableStack,
): void {
  const { flags, names, pki, clock, log } = ground;
  const stopping = new AbortController();
  const { signal } = stopping;
  const controllers = startControllers({
    client,
    rows: ground.rows(),
    clock,
    log,
    signal,
    rootCa: pki.caPem,
    signer: certificateSigner(pki.authority, clock),
    nodeGraceMs: flags['node-monitor-grace-period'],
    apiEndpoint: { address: firstAddress(names), port: listener.port ?? flags.listen.port },
  });
  const devices = runDeviceControllers({ client, clock, log, signal });
  const sweeping = sweepTokens({ client, clock, log, signal });
  const aggregating = runRoleAggregation({ client, clock, log, signal });
  // Each turn does all of it: an earlier one may have failed between the new certificates and their use.
  const renew = () => {
    pki.refresh();
    listener.setTls(servingTls(pki));
    registry.setTls(servingTls(pki));
    hub.listener.refreshCertificate();
    writeKubeconfig(ground, server);
  };
  const renewing = renewCredentials({ clock, log, signal, renew });
  stack.defer(async () => {
    stopping.abort();
    await Promise.all([controllers.ended, devices, sweeping, aggregating, renewing]);
  });
}

/** A revoked node that speaks to the API itself loses its watches with its certificate. */
function disconnectRevoked({ revocations }: Ground, listener: Listener): () => void {
  return revocations.onRevoked((node) => listener.disconnect((certificate) => isOfNode(certificate, node)));
}

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
