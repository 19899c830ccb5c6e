/** Manifests that the stories share: one place that knows what an image is on which runtime. */

import { realpathSync } from 'node:fs';
import type { SystemNeed } from './require-system.ts';
import { BUSYBOX_IMAGE } from './test-images.ts';
import type { TestRegistry } from './test-registry.ts';

export interface Workload {
  readonly name: string;
  /** A POSIX shell script. */
  readonly script: string;
  readonly replicas?: number;
  /** Merged into the pod's spec. */
  readonly spec?: object;
  /** Merged into the container. */
  readonly container?: object;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** `process` runs programs of the host, or an image; another runtime brings an image with a shell. */
export interface Runtime {
  readonly name: string;
  readonly image: string;
  /** Without these nothing can be tried. */
  readonly needs: readonly SystemNeed[];
  /** A script that answers HTTP on the pod's own loopback address with `text`. */
  serve(port: number, text: string): string;
  /** Merged into each pod's spec: what leads to this runtime where a node has several. */
  readonly spec?: object;
}

export const PROCESS: Runtime = {
  name: 'process',
  image: 'host',
  needs: ['bubblewrap'],
  serve: (port, text) =>
    `exec perl -MIO::Socket::INET -e '$s=IO::Socket::INET->new(LocalAddr=>"127.0.0.1",LocalPort=>$ARGV[0],Listen=>5,ReuseAddr=>1) or die; while($c=$s->accept){while(<$c>){last if /^\\r?\\n$/} print $c "HTTP/1.0 200 OK\\r\\n\\r\\n${text}"; close $c}' ${port}`,
};

export const CONTAINERD: Runtime = {
  name: 'containerd',
  image: BUSYBOX_IMAGE,
  needs: ['root', 'containerd', 'runc', 'containernetworking-plugins', 'busybox-static'],
  serve: (port, text) =>
    `mkdir -p /www; printf '%s' '${text}' > /www/index.html; exec httpd -f -p 127.0.0.1:${port} -h /www`,
};

/** Runtime `process` with an image out of this registry. */
export function imageOn(registry: TestRegistry): Runtime {
  return {
    name: 'image',
    image: `${registry.host}/busybox:1`,
    needs: ['bubblewrap', 'busybox-static'],
    serve: (port, text) => CONTAINERD.serve(port, text),
    spec: { runtimeClassName: 'process' },
  };
}

export function pod(runtime: Runtime, workload: Workload): object {
  const { name, labels = { app: name }, annotations = {} } = workload;
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels, annotations }, spec: podSpec(runtime, workload) };
}

export function deployment(runtime: Runtime, workload: Workload): object {
  const { name, replicas = 1, labels = { app: name }, annotations = {} } = workload;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name, ...labels }, annotations }, spec: podSpec(runtime, workload) },
    },
  };
}

const HOST_FOLDERS = ['/usr', '/lib', '/lib64'];

/** Lets a container use the programs and libraries of the host, which images of tests lack, and further `folders` of it. */
export function withHostPrograms(
  runtime: Runtime,
  ...folders: readonly string[]
): Required<Pick<Workload, 'spec' | 'container'>> {
  if (runtime === PROCESS) return { spec: {}, container: {} };
  const mounted = [...HOST_FOLDERS, ...folders].map((path, index) => ({
    name: `host-${index}`,
    path: realpathSync(path),
    mountPath: path,
  }));
  const volumeMounts = mounted.map(({ name, mountPath }) => ({ name, mountPath, readOnly: true }));
  const volumes = mounted.map(({ name, path }) => ({ name, hostPath: { path } }));
  return { spec: { volumes }, container: { volumeMounts } };
}

function podSpec(runtime: Runtime, { script, spec = {}, container = {} }: Workload): object {
  const main = { name: 'main', image: runtime.image, command: ['/bin/sh', '-c', script], ...container };
  return { terminationGracePeriodSeconds: 2, containers: [main], ...runtime.spec, ...spec };
}

/** Counts in its log, one line every 200 ms, and ends at once when it is told to. */
export const COUNTING = 'trap "exit 0" TERM; i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.2; done';
