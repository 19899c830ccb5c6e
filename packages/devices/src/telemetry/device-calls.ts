/** DeviceCall, the kind of `telemetry.skerry.io` that calls a command of a device: created, answered with what came of it, stored nowhere. */
import { type KubeObject, type ResourceRow, type Schema, StatusError, type StatusReason } from '@skerry/api';
import type { Client } from '@skerry/kube/client';
import type { DriverErrorKind } from '../edge/driver-error.ts';
import type { Device } from '../resources/device.ts';
import { DEVICES } from '../resources/group.ts';
import { DEVICE_VALUES_ROW } from './device-values.ts';

export const DEVICE_CALLS = { group: 'telemetry.skerry.io', version: 'v1alpha1', resource: 'devicecalls' } as const;

export interface DeviceCall extends KubeObject {
  readonly spec: DeviceCallSpec;
  readonly status?: { readonly node: string; readonly output: Readonly<Record<string, unknown>> };
}

export interface DeviceCallSpec {
  readonly device: string;
  readonly command: string;
  readonly input?: Readonly<Record<string, unknown>>;
}

/** Opens a POST to what a node serves itself, as the API server's NodeDialer does. Rejects with a StatusError. */
export interface NodePostDialer {
  open(
    node: string,
    request: { readonly kind: 'post'; readonly path: string },
    signal: AbortSignal,
  ): Promise<PostStream>;
}

interface PostStream {
  readonly incoming: AsyncIterable<Uint8Array>;
  send(message: Uint8Array): Promise<void>;
  end(): void;
  abort(reason: string): void;
}

export interface CallOptions {
  /** Of the API that shows which devices there are. */
  readonly client: Client;
  readonly dialer: NodePostDialer;
}

/** What is asked, as a virtual kind of the API server is asked. */
interface Create {
  readonly object: KubeObject;
  readonly user: { readonly username: string };
  readonly signal: AbortSignal;
}

/** A virtual kind for the API server's table. */
export function deviceCallsKind(options: CallOptions) {
  return {
    row: ROW,
    schema: SCHEMA,
    read: async (): Promise<readonly KubeObject[]> => [],
    create: (asked: Create): Promise<KubeObject> => call(options, asked),
  };
}

async function call({ client, dialer }: CallOptions, { object, user, signal }: Create): Promise<DeviceCall> {
  const { spec, metadata } = object as DeviceCall;
  const { device, command, input = {} } = specOf(spec);
  const { namespace = '' } = metadata;
  const { status } = await client.get<Device>({ gvr: DEVICES, namespace, name: device }, { signal });
  const node = status?.nodes?.[0];
  if (node === undefined) throw unavailable(`device "${device}" is placed on no node`);
  const asked = { namespace, device, by: user.username, command, input };
  const answer = await post(await dialer.open(node, { kind: 'post', path: '/call' }, signal), asked);
  if (answer.error !== undefined) throw statusOf(device, command, answer.error);
  return { ...(object as DeviceCall), status: { node, output: answer.output ?? {} } };
}

function specOf(spec: Partial<DeviceCallSpec> | undefined): DeviceCallSpec {
  const { device, command, input } = spec ?? {};
  if (!device || !command) throw new StatusError(400, 'BadRequest', 'spec.device and spec.command are needed');
  return { device, command, ...(input === undefined ? {} : { input }) };
}

interface Answer {
  readonly output?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly kind: DriverErrorKind; readonly message: string };
}

/** The link takes messages of this size. */
const MAX_MESSAGE_BYTES = 32 * 1024;
/** A device may say so much. */
const MAX_ANSWER_BYTES = 1024 * 1024;

async function post(stream: PostStream, asked: object): Promise<Answer> {
  try {
    const body = Buffer.from(JSON.stringify(asked));
    for (let at = 0; at < body.length; at += MAX_MESSAGE_BYTES)
      await stream.send(body.subarray(at, at + MAX_MESSAGE_BYTES));
    stream.end();
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of stream.incoming) {
      size += chunk.length;
      if (size > MAX_ANSWER_BYTES) throw unavailable('the device said more than is taken');
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString()) as Answer;
  } catch (cause) {
    if (cause instanceof StatusError) throw cause;
    throw new StatusError(
      503,
      'ServiceUnavailable',
      'the node did not answer; whether the command was carried out is not known',
      undefined,
      { cause },
    );
  } finally {
    stream.abort('answered');
  }
}

const STATUSES: Readonly<Record<DriverErrorKind, readonly [number, StatusReason]>> = {
  Unreachable: [503, 'ServiceUnavailable'],
  TimedOut: [504, 'Timeout'],
  AccessDenied: [403, 'Forbidden'],
  NotFound: [404, 'NotFound'],
  Rejected: [422, 'Invalid'],
  Malformed: [500, 'InternalError'],
  Unsupported: [400, 'BadRequest'],
  Busy: [429, 'TooManyRequests'],
  Misconfigured: [400, 'BadRequest'],
  Closed: [503, 'ServiceUnavailable'],
};

function statusOf(device: string, command: string, { kind, message }: NonNullable<Answer['error']>): StatusError {
  const [code, reason] = STATUSES[kind] ?? STATUSES.Malformed;
  return new StatusError(code, reason, `${command} of device "${device}": ${message}`);
}

function unavailable(message: string): StatusError {
  return new StatusError(503, 'ServiceUnavailable', message);
}

const SCHEMA: Schema = {
  type: 'object',
  description:
    'Calls a command of a device. Whoever creates one waits for the device, and is answered with its output.',
  properties: {
    apiVersion: { type: 'string' },
    kind: { type: 'string' },
    metadata: { type: 'object', preserveUnknownFields: true },
    spec: {
      type: 'object',
      description: 'What is called.',
      properties: {
        device: { type: 'string', description: 'Name of a Device of this namespace.' },
        command: { type: 'string', description: 'One of its commands.' },
        input: { type: 'object', preserveUnknownFields: true, description: 'Values by parameter.' },
      },
    },
    status: {
      type: 'object',
      description: 'What came of it.',
      properties: {
        node: { type: 'string', description: 'The node that drives the device.' },
        output: { type: 'object', preserveUnknownFields: true, description: 'Values by parameter.' },
      },
    },
  },
};

const ROW: ResourceRow = {
  ...DEVICE_VALUES_ROW,
  gvr: DEVICE_CALLS,
  gvk: { ...DEVICE_VALUES_ROW.gvk, kind: 'DeviceCall' },
  listKind: 'DeviceCallList',
  singular: 'devicecall',
  shortNames: [],
  verbs: ['create'],
  printerColumns: [],
};
