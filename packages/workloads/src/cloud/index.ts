/** The controllers of the cloud: everything that turns what is wanted into what is, through the API like any other client. */
import type { Gvr } from '@skerry/api';
import { messageOf } from '@skerry/base';
import { type ControllerSpec, runController } from '@skerry/kube/controller';
import { type CertificateSigner, certificateSigningController } from './certificate-signing/index.ts';
import { type CloudContext, type CloudContextOptions, cloudContext } from './context.ts';
import { cronJobController } from './cron-job/index.ts';
import { daemonSetController } from './daemon-set/index.ts';
import { deploymentController } from './deployment/index.ts';
import { disruptionController } from './disruption/index.ts';
import { endpointSliceController } from './endpoint-slice/index.ts';
import { endpointsController } from './endpoint-slice/legacy.ts';
import { endpointSliceMirroringController } from './endpoint-slice-mirroring/index.ts';
import { ephemeralVolumeController } from './ephemeral-volume/index.ts';
import { garbageCollector } from './garbage-collector/index.ts';
import { horizontalPodAutoscalerController } from './horizontal-pod-autoscaler/index.ts';
import { imagePullController } from './image-pull/index.ts';
import { jobController } from './job/index.ts';
import { type ApiEndpoint, kubernetesServiceController } from './kubernetes-service/index.ts';
import { namespaceController } from './namespace/index.ts';
import { taintEvictionController } from './node-lifecycle/evict.ts';
import { nodeLifecycleController } from './node-lifecycle/index.ts';
import { runPlacement } from './placement/index.ts';
import { podGcController } from './pod-gc/index.ts';
import { replicaSetController, replicationControllerController } from './replica-set/index.ts';
import { resourceQuotaController } from './resource-quota/index.ts';
import { ENDPOINTS } from './resources.ts';
import { rootCaController } from './root-ca/index.ts';
import { runScheduler } from './scheduler/index.ts';
import { serviceAccountController } from './service-account/index.ts';
import { ipAddressController, serviceCidrController } from './service-cidrs/index.ts';
import { serviceReachController } from './service-reach/index.ts';

import { statefulSetController } from './stateful-set/index.ts';
import { volumeController } from './volumes/index.ts';

export { serveMetrics } from '../usage/metrics-kinds.ts';
export { nodeUsage } from '../usage/node-usage.ts';
export type { SigningOrder } from './certificate-signing/index.ts';
export { imageCrds } from './image-crds.ts';
export type { ApiEndpoint, CertificateSigner };

export interface ControllersOptions extends CloudContextOptions {
  /** PEM of the authority behind the API server's certificate, published to every namespace as `kube-root-ca.crt`. */
  readonly rootCa?: string;
  /** Where the Service `kubernetes` leads to; without it there is no such Service. */
  readonly apiEndpoint?: ApiEndpoint;
  /** Signs the certificates that are asked for through the API; without it nobody does. */
  readonly signer?: CertificateSigner;
  /** How long a node may be silent before it counts as lost; 40 s when absent. */
  readonly nodeGraceMs?: number;
}

export interface RunningControllers {
  /** Resolves when, after the signal aborted, the last of them has ended. */
  readonly ended: Promise<void>;
}

/** Runs them all until `signal` aborts. */
export function startControllers(options: ControllersOptions): RunningControllers {
  const context = cloudContext(options);
  const running = controllerSpecs(context, options).map((spec) => runController(spec, context));
  const { informers, log } = context;
  running.push(
    runScheduler({ ...context, informers, recorder: context.recorder('default-scheduler') }),
    runPlacement(context),
  );
  const ended = Promise.all(
    running.map((each) =>
      each.catch((error: unknown) => log.error({ error: messageOf(error) }, 'a controller failed')),
    ),
  );
  return { ended: ended.then(() => {}) };
}

function controllerSpecs(context: CloudContext, options: ControllersOptions): readonly ControllerSpec[] {
  const { rootCa, apiEndpoint, signer, nodeGraceMs } = options;
  return [
    deploymentController(context),
    replicaSetController(context),
    replicationControllerController(context),
    daemonSetController(context),
    statefulSetController(context),
    volumeController(context),
    ephemeralVolumeController(context),
    jobController(context),
    cronJobController(context),
    disruptionController(context),
    horizontalPodAutoscalerController(context),
    endpointSliceController(context),
    ...(hasRow(context, ENDPOINTS) ? [endpointsController(context), endpointSliceMirroringController(context)] : []),
    serviceReachController(context),
    ipAddressController(context),
    serviceCidrController(context),
    garbageCollector(context),
    namespaceController(context),
    nodeLifecycleController(context, nodeGraceMs),
    taintEvictionController(context),
    podGcController(context),
    imagePullController(context),
    serviceAccountController(context),
    resourceQuotaController(context),
    ...(rootCa === undefined ? [] : [rootCaController(context, rootCa)]),
    ...(signer === undefined ? [] : [certificateSigningController(context, signer)]),
    ...(apiEndpoint === undefined ? [] : [kubernetesServiceController(context, apiEndpoint)]),
  ];
}

function hasRow({ rows }: CloudContext, { group, resource }: Gvr): boolean {
  return rows.some(({ gvr }) => gvr.group === group && gvr.resource === resource);
}
