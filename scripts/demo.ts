/** `npm start -- --demo NAME`: devices that are simulated here, and the manifest in examples/ that makes Devices of them. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeObject } from '@skerry/api';
import type { Factory } from '@skerry/devices/factory';
import { createHttpClient, type HttpClient, loadKubeconfig } from '@skerry/kube/client';
import { parse, parseAllDocuments } from 'yaml';
import { applyObjects } from '../packages/cli/src/apply-objects.ts';
import { ROOT } from './tasks.ts';

export interface Demo extends AsyncDisposable {
  /** Resolves to what to try, once everything was applied. */
  apply(kubeconfig: string, signal: AbortSignal): Promise<string>;
}

export const DEMOS: readonly string[] = ['factory'];

/** As in the manifest. */
const BROKER_PORT = 15_083;
const AGAIN_MS = 500;
const MAX_ATTEMPTS = 60;

export async function startDemo(node: string): Promise<Demo> {
  const text = readFileSync(join(ROOT, 'examples', 'factory', 'factory.yaml'), 'utf8');
  const objects = parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
  const { startFactory } = await import('@skerry/devices/factory');
  const wanted = Object.fromEntries(objects.flatMap((each) => portOf(each) ?? []));
  const broker = await freePort(BROKER_PORT);
  const factory = await startFactory(wanted, broker);
  const placed = await Promise.all(objects.map((each) => adapt(each, { ports: factory.ports, broker, node })));
  return {
    apply: async (kubeconfig, signal) => {
      const { connection } = await loadKubeconfig(kubeconfig, { parseYaml: (yaml) => parse(yaml) as unknown });
      const client = createHttpClient({ connection, userAgent: 'skerry-demo' });
      try {
        await applyAll(client, placed, signal);
        return advice(kubeconfig);
      } finally {
        client.close();
      }
    },
    [Symbol.asyncDispose]: () => factory[Symbol.asyncDispose](),
  };
}

/** The kinds of a cloud that has just begun may not be served yet. */
async function applyAll(client: HttpClient, objects: readonly KubeObject[], signal: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await applyObjects(client, objects);
      return;
    } catch (error) {
      if (attempt === MAX_ATTEMPTS) throw error;
      await sleep(AGAIN_MS, undefined, { signal });
    }
  }
}

interface Spec {
  readonly placement?: object;
  readonly connection?: { readonly endpoint?: string };
  readonly listen?: { readonly port?: number };
  readonly listeners?: readonly object[];
}

function portOf({ kind, metadata, spec }: KubeObject): [[string, number]] | undefined {
  const port = /:(\d+)$/.exec((spec as Spec | undefined)?.connection?.endpoint ?? '')?.[1];
  return kind === 'Device' && port !== undefined ? [[metadata.name ?? '', Number(port)]] : undefined;
}

interface Surroundings extends Pick<Factory, 'ports'> {
  readonly broker: number;
  readonly node: string;
}

/** As the manifest says, but at the node that is started, and at the ports that were free. */
async function adapt(object: KubeObject, { ports, broker, node }: Surroundings): Promise<KubeObject> {
  const spec = object['spec'] as Spec | undefined;
  if (spec?.placement === undefined) return object;
  const { connection, listen, listeners } = spec;
  const port = ports[object.metadata.name ?? ''];
  const endpoint = connection?.endpoint?.replace(/:\d+$/, `:${port}`);
  return {
    ...object,
    spec: {
      ...spec,
      placement: { nodeName: node },
      ...(port === undefined ? {} : { connection: { ...connection, endpoint } }),
      ...(listen === undefined ? {} : { listen: { port: await freePort(listen.port ?? 0) } }),
      ...(listeners === undefined ? {} : { listeners: listeners.map((each) => ({ ...each, port: broker })) }),
    },
  } as KubeObject;
}

/** This one, or any that is free where it is taken. */
function freePort(wanted: number): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(freePort(0)));
    server.listen(wanted, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : wanted));
    });
  });
}

function advice(kubeconfig: string): string {
  return [
    '',
    'The factory is there: meter-1 (Modbus), press-1 (OPC UA), scale-1 (a protocol of its own), hall-1 (MQTT).',
    'Try, in another terminal',
    `  export KUBECONFIG=${kubeconfig}`,
    '  npx skerry device list',
    '  npx skerry device watch',
    '  npx skerry device set scale-1 tare=1.5',
    '  npx skerry device call scale-1 zero',
    '  kubectl get controlloop factory-peak          # slows the press down while much power is drawn',
    '  kubectl get opcuaserver factory               # where any OPC UA client reads all of it',
    '',
  ].join('\n');
}
