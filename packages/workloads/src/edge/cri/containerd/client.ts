/** containerd's own services as typed calls, in the namespace that its CRI keeps images in. */
import { hasCode } from '@skerry/base';
import { type GrpcChannel, openGrpcChannel } from '../grpc.ts';
import { Status } from '../grpc-frame.ts';
import type { GrpcCall } from '../grpc-stream.ts';
import { type Decoded, decode, encode, type Given } from '../message.ts';
import { METHODS, READ_PATH, WRITE_PATH } from './schema.ts';

type Methods = typeof METHODS;

const NAMESPACE = { 'containerd-namespace': 'k8s.io' } as const;
const TIMEOUT_MS = 60_000;

export interface ContainerdClient {
  call<M extends keyof Methods>(method: M, request: Given<Methods[M][1]>): Promise<Decoded<Methods[M][2]>>;
  read(): GrpcCall;
  write(): GrpcCall;
  /** The same, with everything that is made held by the lease. */
  under(lease: string): ContainerdClient;
  close(): void;
}

export function createContainerdClient(socket: string): ContainerdClient {
  return clientOver(openGrpcChannel(socket), NAMESPACE);
}

function clientOver(channel: GrpcChannel, headers: Readonly<Record<string, string>>): ContainerdClient {
  return {
    call: async (method, request) => {
      const [path, input, output] = METHODS[method];
      const answer = await channel.call(`/${path}`, encode(input, request), { timeoutMs: TIMEOUT_MS, headers });
      return decode(output, answer) as Decoded<Methods[typeof method][2]>;
    },
    read: () => channel.open(READ_PATH, headers),
    write: () => channel.open(WRITE_PATH, headers),
    under: (lease) => clientOver(channel, { ...headers, 'containerd-lease': lease }),
    close: () => channel.close(),
  };
}

/** Whether a call failed with this status. */
export function hasStatus(error: unknown, status: (typeof Status)[keyof typeof Status]): boolean {
  return hasCode(error, 'CRI_CALL_FAILED') && error.facts['status'] === status;
}

/** Runtimes that speak CRI and are not containerd have none of this. */
export function isUnimplemented(error: unknown): boolean {
  return hasStatus(error, Status.unimplemented);
}
