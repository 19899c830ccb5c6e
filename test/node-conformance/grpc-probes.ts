/** Probes by grpc.health.v1: a server in the pod itself says how each of its services fares. */
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import type { Container } from '@skerry/api/types';
import { freePort, withHostPrograms } from '@skerry/testkit/processes';
import { isReady, type Lab, type PodPlan, type Requirement, statusOf } from './lab.ts';

const often = { periodSeconds: 1, failureThreshold: 1, timeoutSeconds: 10 };
/** The server takes its time to come up. */
const patient = { periodSeconds: 1, failureThreshold: 60, timeoutSeconds: 10 };
const SERVER = join(import.meta.dirname, 'grpc-health-server.ts');

/** A pod with a health server for `services`; `probes` are given the port it listens on. */
async function serving(
  lab: Lab,
  services: readonly string[],
  probes: (port: number) => Partial<Container>,
): Promise<PodPlan> {
  const port = await freePort();
  const words = services.map((service) => `'${service}'`).join(' ');
  const host = withHostPrograms(lab.runtime, dirname(process.execPath), dirname(SERVER));
  return {
    script: `exec ${process.execPath} ${SERVER} ${port} ${words}`,
    container: { ...host.container, startupProbe: { grpc: { port }, ...patient }, ...probes(port) },
    spec: { ...host.spec, restartPolicy: 'Always', terminationGracePeriodSeconds: 2 },
  };
}

export const GRPC_PROBES: readonly Requirement[] = [
  {
    states: 'a container is started, ready and alive while the services of its gRPC health say so',
    check: async (lab) => {
      const plan = await serving(lab, ['', 'ready', 'alive'], (port) => ({
        readinessProbe: { grpc: { port, service: 'ready' }, ...often },
        livenessProbe: { grpc: { port, service: 'alive' }, ...patient },
      }));
      await lab.start(plan);
      for (const service of ['', 'ready', 'alive']) await lab.hears(`/grpc.health.v1.Health/Check of "${service}"`);
      const pod = await lab.get();
      assert.equal(isReady(pod), true);
      assert.equal(statusOf(pod)?.started, true);
      assert.equal(statusOf(pod)?.restartCount, 0);
    },
  },
  {
    states: 'a container whose gRPC service is not serving is not ready and never restarted',
    check: async (lab) => {
      await lab.create(
        await serving(lab, ['', '!ready'], (port) => ({
          readinessProbe: { grpc: { port, service: 'ready' }, ...often },
        })),
      );
      await lab.hasEvent(/^Unhealthy: Readiness probe failed: service unhealthy \(responded with "NOT_SERVING"\)/);
      const pod = await lab.get();
      assert.equal(statusOf(pod)?.ready, false);
      assert.equal(statusOf(pod)?.restartCount, 0);
    },
  },
  {
    states: 'a container that does not know the gRPC service of its liveness is restarted',
    check: async (lab) => {
      await lab.create(
        await serving(lab, [''], (port) => ({ livenessProbe: { grpc: { port, service: 'alive' }, ...often } })),
      );
      await lab.hasEvent(/^Unhealthy: Liveness probe failed: error: health rpc probe failed: .*code = 5/);
      await lab.until('its restart', (pod) => (statusOf(pod)?.restartCount ?? 0) >= 1);
    },
  },
];
