import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Pod, PodSpec } from '@skerry/api/types';
import { rejectionOf, sysctlName } from './admission.ts';

const node: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n', labels: { zone: 'a' } } };

function pod(spec: Partial<PodSpec>): Pod {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: { containers: [], ...spec } };
}

function asking(requests: Record<string, string>): Pod {
  return pod({ containers: [{ name: 'c', resources: { requests } }] });
}

interface Place {
  readonly allocatable?: Record<string, string>;
  readonly others?: readonly Pod[];
  readonly node?: Node | undefined;
}

function check(asked: Pod, place: Place, reason: string | undefined, message = /./): void {
  const allocatable = { cpu: '2', memory: '1Gi', pods: '3', ...place.allocatable };
  const rejection = rejectionOf(asked, {
    node: 'node' in place ? place.node : node,
    allocatable,
    others: place.others ?? [],
  });
  assert.equal(rejection?.reason, reason);
  if (reason !== undefined) assert.match(rejection?.message ?? '', message);
}

test('a pod that fits is taken', () => {
  check(pod({}), {}, undefined);
  check(asking({ cpu: '1500m', memory: '512Mi' }), { others: [asking({ cpu: '500m', memory: '512Mi' })] }, undefined);
  check(pod({ nodeSelector: { zone: 'a' }, os: { name: 'linux' } }), {}, undefined);
});

test('a pod that asks for more than is left is told how much that is', () => {
  const others = [asking({ cpu: '500m' }), asking({ cpu: '1' })];
  const text = /^Node didn't have enough resource: cpu, requested: 501, used: 1500, capacity: 2000$/;
  check(asking({ cpu: '501m' }), { others }, 'OutOfcpu', text);
  check(asking({ memory: '2Gi' }), {}, 'OutOfmemory', /requested: 2147483648, used: 0, capacity: 1073741824$/);
  check(asking({ 'example.com/gpu': '1' }), {}, 'OutOfexample.com/gpu', /capacity: 0$/);
});

test('one pod too many is one too many', () =>
  check(pod({}), { others: [pod({}), pod({}), pod({})] }, 'OutOfpods', /requested: 1, used: 3, capacity: 3$/));

test('a pod that does not want this node is not run here, unless nobody knows its labels', () => {
  const elsewhere = pod({ nodeSelector: { zone: 'b' } });
  check(elsewhere, {}, 'NodeAffinity', /didn't match Pod's node affinity/);
  check(elsewhere, { node: undefined }, undefined);
});

test('a host port is for one pod', () => {
  const server = pod({ containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 8080 }] }] });
  check(server, { others: [server] }, 'NodePorts', /free ports/);
  check(server, { others: [pod({})] }, undefined);
});

test('only sysctls that concern nobody else are set', () => {
  const setting = (name: string, more: Partial<PodSpec> = {}) =>
    pod({ securityContext: { sysctls: [{ name, value: '1' }] }, ...more });
  check(setting('kernel.shm_rmid_forced'), {}, undefined);
  check(setting('net/ipv4/tcp_syncookies'), {}, undefined);
  check(setting('kernel.msgmax'), {}, 'SysctlForbidden', /^forbidden sysctl: "kernel.msgmax" not allowlisted$/);
  check(setting('net.ipv4.tcp_syncookies', { hostNetwork: true }), {}, 'SysctlForbidden', /with host net enabled$/);
  check(setting('kernel.shm_rmid_forced', { hostIPC: true }), {}, 'SysctlForbidden', /with host ipc enabled$/);
});

test('a pod for another system is refused', () =>
  check(pod({ os: { name: 'windows' } }), {}, 'PodOSNotSupported', /OS field/));

test('the first separator says how a sysctl is written', () => {
  assert.equal(sysctlName('net/ipv4/conf/eth0.100/x'), 'net.ipv4.conf.eth0/100.x');
  assert.equal(sysctlName('net.ipv4.conf.eth0/100.x'), 'net.ipv4.conf.eth0/100.x');
});
