/** `skerry device trust list|accept`: certificates that devices, servers and brokers have refused, and a person's yes. */
import type { Gvr, KubeObject } from '@skerry/api';
import type { Device, MqttBroker, OpcUaServer, TrustList } from '@skerry/devices';
import type { HttpClient } from '@skerry/kube/client';
import { connect } from '../connection.ts';
import { type CliContext, cliErrors } from '../context.ts';
import { formatAge, formatJson, formatTable } from '../output.ts';
import type { DeviceFlags } from './device.ts';

const resource = (name: string): Gvr => ({ group: 'devices.skerry.io', version: 'v1alpha1', resource: name });
const TRUST_LISTS = resource('trustlists');

/** Kinds that ask a TrustList, and where they name it. */
const ASKING: readonly { readonly gvr: Gvr; readonly trustList: (object: KubeObject) => string | undefined }[] = [
  { gvr: resource('devices'), trustList: (object) => (object as Device).spec.connection?.trustList },
  { gvr: resource('opcuaservers'), trustList: (object) => (object as OpcUaServer).spec.security?.trustList },
  {
    gvr: resource('mqttbrokers'),
    trustList: (object) =>
      (object as MqttBroker).spec.listeners?.map(({ trustList }) => trustList).find((name) => name !== undefined),
  },
];

type Certificate = NonNullable<NonNullable<Device['status']>['rejectedCertificates']>[number];

interface Rejected extends Certificate {
  /** Who has refused it: `device/press`. */
  readonly by: string;
  readonly trustList?: string;
}

export async function listRejected(context: CliContext, flags: DeviceFlags): Promise<void> {
  using client = await connect(context, flags);
  const rejected = await findRejected(client, flags.namespace);
  if (flags.output === 'json') context.print(formatJson(rejected));
  else if (rejected.length === 0) context.say('skerry: no certificate was refused lately\n');
  else {
    const now = context.clock.now();
    const rows = rejected.map(({ thumbprint, by, trustList = '-', subject = '', reason = '', seenAt = '' }) => [
      thumbprint.slice(0, SHORT),
      by,
      trustList,
      formatAge(Date.parse(seenAt), now),
      subject,
      reason,
    ]);
    context.print(formatTable(['THUMBPRINT', 'REFUSED BY', 'TRUST LIST', 'SEEN', 'SUBJECT', 'REASON'], rows));
  }
}

/** So much of a thumbprint is shown, and at least so much is asked. */
const SHORT = 16;

export interface TrustFlags extends DeviceFlags {
  readonly list?: string;
}

export async function acceptCertificate(context: CliContext, thumbprint: string, flags: TrustFlags): Promise<void> {
  const wanted = thumbprint.toLowerCase();
  if (!/^[0-9a-f]{16,128}$/.test(wanted))
    throw cliErrors.INVALID_ARGUMENT({ argument: thumbprint, problem: `must be ${SHORT} hexadecimal digits or more` });
  using client = await connect(context, flags);
  const found = (await findRejected(client, flags.namespace)).find((each) => each.thumbprint.startsWith(wanted));
  const name = flags.list ?? found?.trustList;
  if (found?.pem === undefined)
    throw cliErrors.INVALID_ARGUMENT({ argument: thumbprint, problem: 'no such certificate was refused lately' });
  if (name === undefined)
    throw cliErrors.INVALID_ARGUMENT({ argument: '--list', problem: `${found.by} names no TrustList` });
  await trust(client, { namespace: flags.namespace, name }, found.thumbprint, found.pem);
  context.say(`skerry: TrustList ${name} accepts ${found.subject ?? found.thumbprint}\n`);
}

async function trust(
  client: HttpClient,
  at: { readonly namespace: string; readonly name: string },
  thumbprint: string,
  pem: string,
): Promise<void> {
  const ref = { gvr: TRUST_LISTS, ...at };
  const { metadata, spec } = await client.get<TrustList>(ref);
  const name = thumbprint.slice(0, SHORT);
  const trusted = [...(spec.trusted ?? []).filter((each) => each.name !== name), { name, pem }];
  const { resourceVersion } = metadata;
  await client.patch(ref, { metadata: { resourceVersion }, spec: { trusted } }, { type: 'merge' });
}

async function findRejected(client: HttpClient, namespace: string): Promise<readonly Rejected[]> {
  const found = await Promise.all(
    ASKING.map(async ({ gvr, trustList }) => {
      const { items } = await client.list<KubeObject>(gvr, { namespace });
      return items.flatMap((object) => {
        const { rejectedCertificates = [] } = (object['status'] ?? {}) as NonNullable<Device['status']>;
        const name = trustList(object);
        const by = `${object.kind.toLowerCase()}/${object.metadata.name}`;
        return rejectedCertificates.map((each) => ({
          ...each,
          by,
          ...(name === undefined ? {} : { trustList: name }),
        }));
      });
    }),
  );
  return found.flat();
}
