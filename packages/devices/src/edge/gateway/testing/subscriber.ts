/** For the bench: a client that asks to be told of every change of many variables. */
import { once } from 'node:events';
import {
  AttributeIds,
  ClientMonitoredItemGroup,
  type DataValue,
  MessageSecurityMode,
  OPCUAClient,
  SecurityPolicy,
  TimestampsToReturn,
} from 'node-opcua-client';

/** Hears of good values by the place of their id; resolves, once all are subscribed to, to what ends it. */
export async function subscribeTo(
  endpoint: string,
  ids: readonly string[],
  onValue: (at: number, value: unknown) => void,
): Promise<() => Promise<void>> {
  const client = OPCUAClient.create({
    securityMode: MessageSecurityMode.None,
    securityPolicy: SecurityPolicy.None,
    endpointMustExist: false,
    connectionStrategy: { maxRetry: 0 },
  });
  await client.connect(endpoint);
  const session = await client.createSession();
  const subscription = await session.createSubscription2({
    requestedPublishingInterval: 100,
    requestedLifetimeCount: 1000,
    requestedMaxKeepAliveCount: 10,
    maxNotificationsPerPublish: 0,
    publishingEnabled: true,
    priority: 1,
  });
  const group = ClientMonitoredItemGroup.create(
    subscription,
    ids.map((nodeId) => ({ nodeId, attributeId: AttributeIds.Value })),
    { samplingInterval: 0, discardOldest: true, queueSize: 1000 },
    TimestampsToReturn.Source,
  );
  group.on('changed', (_item, { value, statusCode }: DataValue, at: number) => {
    if (statusCode.isGood()) onValue(at, value.value);
  });
  await once(group, 'initialized');
  return async () => {
    await session.close();
    await client.disconnect();
  };
}
