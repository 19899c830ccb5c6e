/** DeviceCall, the kind of `telemetry.skerry.io` that calls a command of a device: created, answered with what came of it, stored nowhere. */
import { type KubeObject, type ResourceRow, type Schema, StatusError } from '@skerry/api';
import { type AskOptions, askDevice } from './ask-device.ts';
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

/** What is asked, as a virtual kind of the API server is asked. */
interface Create {
  readonly object: KubeObject;
  readonly user: { readonly username: string };
  readonly signal: AbortSignal;
}

/** A virtual kind for the API server's table. */
export function deviceCallsKind(options: AskOptions) {
  return {
    row: ROW,
    schema: SCHEMA,
    read: async (): Promise<readonly KubeObject[]> => [],
    create: (asked: Create): Promise<KubeObject> => call(options, asked),
  };
}

/** A device may say so much. */
const MAX_ANSWER_BYTES = 1024 * 1024;

async function call(options: AskOptions, { object, user, signal }: Create): Promise<DeviceCall> {
  const { spec, metadata } = object as DeviceCall;
  const { device, command, input = {} } = specOf(spec);
  const { namespace = '' } = metadata;
  const { node, answer } = await askDevice<{ readonly output: Readonly<Record<string, unknown>> }>(options, {
    namespace,
    device,
    path: '/call',
    body: { namespace, device, by: user.username, command, input },
    signal,
    what: `${command} of device "${device}"`,
    unanswered: 'the node did not answer; whether the command was carried out is not known',
    maxAnswerBytes: MAX_ANSWER_BYTES,
  });
  return { ...(object as DeviceCall), status: { node, output: answer.output ?? {} } };
}

function specOf(spec: Partial<DeviceCallSpec> | undefined): DeviceCallSpec {
  const { device, command, input } = spec ?? {};
  if (!device || !command) throw new StatusError(400, 'BadRequest', 'spec.device and spec.command are needed');
  return { device, command, ...(input === undefined ? {} : { input }) };
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
