/** Probes: when a container counts as started, as ready, as alive. */
import assert from 'node:assert/strict';
import type { Pod } from '@skerry/api/types';
import { eventually } from '@skerry/testkit/processes';
import { conditionOf, IDLE, isReady, type Lab, type Requirement, statusOf } from './lab.ts';
import { Listener } from './listener.ts';

const often = { periodSeconds: 1, failureThreshold: 1 };
const command = (script: string) => ({ exec: { command: ['/bin/sh', '-c', script] } });
const restarts = (pod: Pod) => statusOf(pod)?.restartCount ?? 0;

/** Runs a container whose probe fails until it is restarted. */
async function isRestarted(lab: Lab, container: object, words: RegExp): Promise<Pod> {
  await lab.create({ container, spec: { restartPolicy: 'Always', terminationGracePeriodSeconds: 1 } });
  const pod = await lab.until('its restart', (one) => restarts(one) >= 1);
  await lab.hasEvent(words);
  return pod;
}

/** Runs a container whose probe is asked several times and never restarts it. */
async function isLeftAlone(lab: Lab, listener: Listener, container: object): Promise<void> {
  await lab.start({ container, spec: { restartPolicy: 'Always' } });
  await eventually('it is probed', () => listener.heard.length >= 3);
  assert.equal(restarts(await lab.get()), 0);
}

const READINESS: readonly Requirement[] = [
  {
    states: 'a container is ready once its probe says so, not before its delay, and never restarted',
    check: async (lab) => {
      await lab.create({ container: { readinessProbe: { ...command('true'), ...often, initialDelaySeconds: 2 } } });
      const pod = await lab.until('it is ready', isReady);
      const readyAt = Date.parse(conditionOf(pod, 'Ready')?.lastTransitionTime ?? '');
      const startedAt = Date.parse(statusOf(pod)?.state?.running?.startedAt ?? '');
      assert.ok(readyAt - startedAt >= 1000, `${readyAt - startedAt} ms`);
      assert.equal(restarts(pod), 0);
    },
  },
  {
    states: 'a container whose readiness fails is not ready, is never restarted, and says so',
    check: async (lab) => {
      await lab.create({ container: { readinessProbe: { ...command('echo sick; exit 1'), ...often } } });
      await lab.hasEvent(/^Unhealthy: Readiness probe failed: sick/);
      const pod = await lab.get();
      assert.equal(statusOf(pod)?.ready, false);
      assert.equal(statusOf(pod)?.started, true);
      assert.equal(conditionOf(pod, 'ContainersReady')?.reason, 'ContainersNotReady');
      assert.equal(conditionOf(pod, 'Ready')?.message, 'containers with unready status: [main]');
      assert.equal(restarts(pod), 0);
    },
  },
  {
    states: 'readiness comes and goes with its probe',
    check: async (lab) => {
      await using listener = await Listener.start();
      await lab.start({ container: { readinessProbe: { ...listener.at('/ready'), ...often } } });
      listener.answer = () => ({ code: 503 });
      await lab.until('it is not ready', (pod) => !isReady(pod));
      await lab.hasEvent(/^Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 503/);
      listener.answer = () => ({ code: 200 });
      await lab.until('it is ready again', isReady);
      assert.match(listener.heard[0] ?? '', /^GET \/ready by kube-probe\/1\./);
    },
  },
  {
    states: 'a readiness probe that takes too long has failed',
    check: async (lab) => {
      await lab.create({ container: { readinessProbe: { ...command('sleep 20'), ...often, timeoutSeconds: 1 } } });
      await lab.hasEvent(/^Unhealthy: Readiness probe failed: .*timed out/);
      assert.equal(statusOf(await lab.get())?.ready, false);
    },
  },
  {
    states: 'a probe finds its port by name in the pod itself, over HTTP and over TCP',
    on: 'containerd',
    check: async (lab) => {
      const script = 'mkdir /www; echo ok > /www/index.html; exec httpd -f -p 8080 -h /www';
      const ports = [{ name: 'web', containerPort: 8080 }];
      const readinessProbe = { httpGet: { port: 'web', path: '/index.html' }, ...often };
      const livenessProbe = { tcpSocket: { port: 'web' }, periodSeconds: 1, initialDelaySeconds: 1 };
      const pod = await lab.start({ script, container: { ports, readinessProbe, livenessProbe } });
      assert.equal(restarts(pod), 0);
    },
  },
];

const LIVENESS: readonly Requirement[] = [
  {
    states: 'a container whose command says it is dead is restarted, and says so',
    check: async (lab) => {
      const livenessProbe = { ...command('echo dead; exit 1'), ...often };
      const pod = await isRestarted(lab, { livenessProbe }, /^Unhealthy: Liveness probe failed: dead/);
      await lab.hasEvent(/^Killing: Container main failed liveness probe, will be restarted/);
      assert.notEqual(statusOf(pod)?.lastState?.terminated, undefined);
    },
  },
  {
    states: 'a liveness probe that takes too long has failed',
    check: async (lab) => {
      const livenessProbe = { ...command('sleep 20'), ...often, timeoutSeconds: 1 };
      await isRestarted(lab, { livenessProbe }, /^Unhealthy: Liveness probe failed: .*timed out/);
    },
  },
  {
    states: 'a container is restarted when its HTTP endpoint fails',
    check: async (lab) => {
      await using listener = await Listener.start();
      listener.answer = () => ({ code: 500 });
      const livenessProbe = { ...listener.at('/healthz'), ...often };
      await isRestarted(
        lab,
        { livenessProbe },
        /^Unhealthy: Liveness probe failed: HTTP probe failed with statuscode: 500/,
      );
    },
  },
  {
    states: 'a container is left alone while its HTTP endpoint answers, also over TLS that nobody can verify',
    check: async (lab) => {
      await using listener = await Listener.start('https');
      await isLeftAlone(lab, listener, { livenessProbe: { ...listener.at('/healthz', 'HTTPS'), ...often } });
    },
  },
  {
    states: 'a redirect on the same host is followed',
    check: async (lab) => {
      await using listener = await Listener.start();
      listener.answer = (path) =>
        path === '/redirect' ? { code: 302, headers: { location: '/healthz' } } : { code: 500 };
      const livenessProbe = { ...listener.at('/redirect'), ...often };
      await isRestarted(
        lab,
        { livenessProbe },
        /^Unhealthy: Liveness probe failed: HTTP probe failed with statuscode: 500/,
      );
      assert.ok(listener.heard.some((line) => line.startsWith('GET /healthz')));
    },
  },
  {
    states: 'a redirect to another host is not followed: it counts as well, with a warning',
    check: async (lab) => {
      await using listener = await Listener.start();
      const headers = { location: 'http://0.0.0.0/' };
      listener.answer = () => ({ code: 302, headers, body: '<a href="http://0.0.0.0/">Found</a>.' });
      await isLeftAlone(lab, listener, { livenessProbe: { ...listener.at('/redirect'), ...often } });
      await lab.hasEvent(
        /^ProbeWarning: .*Probe terminated redirects, Response body: <a href="http:\/\/0.0.0.0\/">Found<\/a>./,
      );
    },
  },
  {
    states: 'a probe’s own grace counts when it ends the container',
    check: async (lab) => {
      const script = 'trap "" TERM; while :; do sleep 0.1; done';
      const livenessProbe = { ...command('false'), ...often, terminationGracePeriodSeconds: 1 };
      await lab.create({
        script,
        container: { livenessProbe },
        spec: { restartPolicy: 'Always', terminationGracePeriodSeconds: 500 },
      });
      const pod = await lab.until('its restart', (one) => restarts(one) >= 1);
      assert.equal(statusOf(pod)?.lastState?.terminated?.exitCode, 137);
    },
  },
];

const STARTUP: readonly Requirement[] = [
  {
    states: 'a container that does not start up in time is restarted',
    check: async (lab) => {
      const container = { startupProbe: { ...command('false'), ...often }, livenessProbe: command('true') };
      await isRestarted(lab, container, /^Unhealthy: Startup probe failed/);
    },
  },
  {
    states: 'until a container has started up, nobody asks whether it is alive or ready',
    check: async (lab) => {
      await using listener = await Listener.start();
      listener.answer = (path) => ({ code: path === '/startup' ? 503 : 200 });
      await lab.create({
        script: IDLE,
        container: {
          startupProbe: { ...listener.at('/startup'), periodSeconds: 1, failureThreshold: 60 },
          readinessProbe: { ...listener.at('/ready'), ...often },
          livenessProbe: { ...listener.at('/alive'), ...often },
        },
      });
      await eventually('startup is asked', () => listener.heard.length >= 2);
      assert.ok(
        listener.heard.every((line) => line.startsWith('GET /startup')),
        listener.heard.join(),
      );
      assert.equal(statusOf(await lab.get())?.started, false);
      listener.answer = () => ({ code: 200 });
      const pod = await lab.until('it is ready', isReady);
      assert.equal(statusOf(pod)?.started, true);
      await eventually('the others are asked', () =>
        ['/ready', '/alive'].every((path) => listener.heard.some((line) => line.includes(path))),
      );
    },
  },
];

export const PROBES: readonly Requirement[] = [...READINESS, ...LIVENESS, ...STARTUP];
