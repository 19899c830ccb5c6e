/** A node for tests whose default runtime is a containerd of its own, and what is asked of it again and again. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@skerry/base';
import { type NodeStreamRequest, streamPair } from '@skerry/kube/streaming';
import { BUSYBOX_IMAGE, TestContainerd } from '@skerry/testkit/processes';
import type { Container, Pod, PodSpec } from '../pod/types.ts';
import { createNodeStreamHandler } from '../streams/handler.ts';
import { NODE, type ScratchNode, type ScratchOptions, scratchNode } from './scratch-node.ts';

export interface Expected {
  readonly log?: readonly string[];
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
}

export const SLEEP = 'trap "exit 0" TERM; while :; do sleep 0.1; done';

export function shell(script: string): Partial<Container> {
  return { image: BUSYBOX_IMAGE, command: ['sh', '-c', script] };
}

export class ContainerNode implements AsyncDisposable {
  readonly containerd: TestContainerd;
  readonly node: ScratchNode;

  static async start(options: Pick<ScratchOptions, 'imageSource'> = {}): Promise<ContainerNode> {
    const containerd = await TestContainerd.start();
    const onReboot = async () => {
      await containerd.powerOff();
      await containerd.start();
    };
    return new ContainerNode(
      containerd,
      await scratchNode({ ...options, containerdSocket: containerd.socket, onReboot }),
    );
  }

  private constructor(containerd: TestContainerd, node: ScratchNode) {
    this.containerd = containerd;
    this.node = node;
  }

  /** Runs a pod to its end and compares what became of it. */
  async check(
    name: string,
    container: Partial<Container>,
    { log, message, code, reason }: Expected,
    spec: Partial<PodSpec> = {},
  ): Promise<Pod> {
    await this.node.run(name, container, { restartPolicy: 'Never', ...spec });
    // The last words are read after the end.
    const isWhole = (each: Pod) => message === undefined || endOf(each)?.message !== undefined;
    const pod = await this.node.until(name, (each) => isOver(each) && isWhole(each));
    const ended = endOf(pod);
    if (code !== undefined) assert.equal(ended?.exitCode, code);
    if (reason !== undefined) assert.equal(ended?.reason, reason);
    if (message !== undefined) assert.equal(ended?.message, message);
    if (log !== undefined) assert.deepEqual(this.logOf(pod), log);
    return pod;
  }

  /** The texts in the first log of a pod's main container. */
  logOf({ metadata }: Pod): string[] {
    const file = join(this.node.directory, 'logs', `default_${metadata.name}_${metadata.uid}`, 'main', '0.log');
    const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
    return lines.map((line) => line.split(' ').slice(3).join(' '));
  }

  /** Asks the node, sends `input`, and collects everything it answers. */
  async ask(request: NodeStreamRequest, input: readonly Uint8Array[] = []): Promise<readonly Buffer[]> {
    const { controller, runtimes, directory } = this.node;
    const pods = controller.pods;
    const handler = createNodeStreamHandler({ nodeName: NODE, pods, runtimes, clock: systemClock, directory });
    const { opener, answerer } = streamPair();
    const done = handler(request, answerer, new AbortController().signal);
    const messages: Buffer[] = [];
    const reading = (async () => {
      for await (const message of opener.incoming) messages.push(Buffer.from(message));
    })();
    for (const message of input) await opener.send(message);
    if (request.kind === 'portforward') opener.end();
    await done;
    await reading;
    return messages;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node[Symbol.asyncDispose]();
    await this.containerd[Symbol.asyncDispose]();
  }
}

export function isReady({ status }: Pod): boolean {
  return status?.containerStatuses?.[0]?.ready === true;
}

function isOver({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}

function endOf({ status }: Pod) {
  return status?.containerStatuses?.[0]?.state?.terminated;
}
