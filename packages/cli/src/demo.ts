/** `skerry up --demo NAME`: devices that are simulated in a process beside, and a manifest that makes Devices of them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from '@skerry/api';
import { createHttpClient, type HttpClient, loadKubeconfig } from '@skerry/kube/client';
import { parse, parseAllDocuments } from 'yaml';
import { applyObjects } from './apply-objects.ts';
import { type Child, childLog, startChild } from './child.ts';
import { claimPort } from './claim-port.ts';
import type { CliContext } from './context.ts';

export const DEMOS: readonly string[] = ['factory'];

export interface DemoOptions {
  readonly name: string;
  /** The node that drives the devices. */
  readonly node: string;
  readonly dataDir: string;
}

export interface Demo {
  /** The process of the simulated devices. */
  readonly child: Child;
  /** Resolves to what to try, once everything was applied. */
  apply(kubeconfig: string, signal: AbortSignal): Promise<string>;
}

/** As in the manifest. */
const BROKER_PORT = 15_083;
const AGAIN_MS = 500;
const MAX_ATTEMPTS = 60;

/** Before the node: what it listens at from an earlier start must not look taken. */
export async function startDemo(context: CliContext, options: DemoOptions, signal: AbortSignal): Promise<Demo> {
  const { name, node, dataDir } = options;
  const text = readFileSync(join(context.lib, `${name}.yaml`), 'utf8');
  const objects = parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
  const claim = async (what: string, port: number) => {
    const claimed = await claimPort(port, signal);
    if (claimed !== port) context.say(`skerry: port ${port} is taken; ${what} of the demo is at ${claimed}\n`);
    return claimed;
  };
  const broker = await claim('the broker', BROKER_PORT);
  const wanted = [...objects.flatMap((each) => portOf(each) ?? []), ['broker', broker] as const];
  const child = await startChild(
    context,
    {
      name,
      args: wanted.map(([device, port]) => `${device}=${port}`),
      log: childLog(join(dataDir, 'demo'), `${name}.log`),
      stopWith: 'SIGTERM',
    },
    signal,
  );
  const placed = await Promise.all(objects.map((each) => adapt(each, { ports: child.facts, broker, node, claim })));
  return {
    child,
    apply: async (kubeconfig, over) => {
      const { connection } = await loadKubeconfig(kubeconfig, { parseYaml: (yaml) => parse(yaml) as unknown });
      const client = createHttpClient({ connection, userAgent: 'skerry-demo' });
      try {
        await applyAll(context, client, placed, over);
        return advice(context.command, kubeconfig);
      } finally {
        client.close();
      }
    },
  };
}

/** The kinds of a cloud that has just begun may not be served yet. */
async function applyAll(
  { clock }: CliContext,
  client: HttpClient,
  objects: readonly KubeObject[],
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await applyObjects(client, objects);
      return;
    } catch (error) {
      if (attempt === MAX_ATTEMPTS) throw error;
      await clock.sleep(AGAIN_MS, signal);
    }
  }
}

interface Spec {
  readonly placement?: object;
  readonly connection?: { readonly endpoint?: string };
  readonly listen?: { readonly port?: number };
  readonly listeners?: readonly object[];
}

function portOf({ kind, metadata, spec }: KubeObject): readonly (readonly [string, number])[] | undefined {
  const port = /:(\d+)$/.exec((spec as Spec | undefined)?.connection?.endpoint ?? '')?.[1];
  return kind === 'Device' && port !== undefined ? [[metadata.name ?? '', Number(port)]] : undefined;
}

interface Surroundings {
  /** Where each simulated device listens. */
  readonly ports: Readonly<Record<string, string>>;
  readonly broker: number;
  readonly node: string;
  readonly claim: (what: string, port: number) => Promise<number>;
}

/** As the manifest says, but at the node that is started, and at the ports that were free. */
async function adapt(object: KubeObject, { ports, broker, node, claim }: Surroundings): Promise<KubeObject> {
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
      ...(listen === undefined ? {} : { listen: { port: await claim(`the ${object.kind}`, listen.port ?? 4840) } }),
      ...(listeners === undefined ? {} : { listeners: listeners.map((each) => ({ ...each, port: broker })) }),
    },
  } as KubeObject;
}

function advice(command: string, kubeconfig: string): string {
  return [
    '',
    'The factory is there: meter-1 (Modbus), press-1 (OPC UA), scale-1 (a protocol of its own), hall-1 (MQTT).',
    'Try, in another terminal',
    `  export KUBECONFIG=${kubeconfig}`,
    `  ${command} device list`,
    `  ${command} device watch`,
    `  ${command} device set scale-1 tare=1.5`,
    `  ${command} device call scale-1 zero`,
    '  kubectl get controlloop factory-peak          # slows the press down while much power is drawn',
    `  ${command} rule explain factory-load              # what the hall does, from both machines`,
    '  kubectl get opcuaserver factory               # where any OPC UA client reads all of it',
    '',
  ].join('\n');
}
