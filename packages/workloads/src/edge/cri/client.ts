/** The Container Runtime Interface as typed calls: `cri.call('StopContainer', { id, timeoutSeconds: 0 })`. */
import { type CallOptions, openGrpcChannel } from './grpc.ts';
import { type Decoded, decode, encode, type Given } from './message.ts';
import { METHODS } from './schema.ts';

type Methods = typeof METHODS;
export type MethodName = keyof Methods;
export type Answer<M extends MethodName> = Decoded<Methods[M][2]>;

export type SandboxConfig = NonNullable<Given<Methods['RunPodSandbox'][1]>['config']>;
export type ContainerConfig = NonNullable<Given<Methods['CreateContainer'][1]>['config']>;
export type ContainerStatus = NonNullable<Answer<'ContainerStatus'>['status']>;
export type ListedContainer = Answer<'ListContainers'>['containers'][number];
export type ListedSandbox = Answer<'ListPodSandbox'>['items'][number];
export type Image = NonNullable<Answer<'ImageStatus'>['image']>;

const DEFAULT_TIMEOUT_MS = 120_000;

export interface CriClient {
  call<M extends MethodName>(
    method: M,
    request: Given<Methods[M][1]>,
    options?: Partial<CallOptions>,
  ): Promise<Answer<M>>;
  close(): void;
}

export function createCriClient(socket: string): CriClient {
  const channel = openGrpcChannel(socket);
  return {
    call: async (method, request, options = {}) => {
      const [service, input, output] = METHODS[method];
      const path = `/runtime.v1.${service}/${method}`;
      const answer = await channel.call(path, encode(input, request), { timeoutMs: DEFAULT_TIMEOUT_MS, ...options });
      return decode(output, answer) as Answer<typeof method>;
    },
    close: () => channel.close(),
  };
}
