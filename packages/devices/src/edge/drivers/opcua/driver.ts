/** The driver of OPC UA: a client of servers. The library that speaks the protocol is loaded with this file, and nowhere else. */
import { setErrorLogger, setWarningLogger } from 'node-opcua-client';
import type { DeviceSettings, Driver, DriverContext, DriverHome } from '../../driver.ts';
import type { KeyPair } from '../../opcua/own-certificate.ts';
import { discover } from './discovery.ts';
import { openLink } from './link.ts';
import { certificateInSecret, certificateOfNode } from './node-certificate.ts';
import { beginSession } from './session.ts';
import { termsOf } from './terms.ts';

export interface OpcuaOptions {
  /** Where the node's certificate is kept; without it, it is another one with each start. */
  readonly home?: DriverHome;
}

export function createOpcuaDriver({ home }: OpcuaOptions): Driver {
  // The library writes what it thinks in many lines; what matters of it comes as errors and events.
  setWarningLogger(() => {});
  setErrorLogger(() => {});
  let ofNode: Promise<KeyPair> | undefined;
  const ownCertificate = async ({ secret }: DeviceSettings, { clock }: DriverContext): Promise<KeyPair> => {
    const given = certificateInSecret(secret);
    if (given !== undefined) return given;
    ofNode ??= certificateOfNode(home, clock.now());
    // A disk that was full may not be later.
    ofNode.catch(() => {
      ofNode = undefined;
    });
    return ofNode;
  };
  const connect = async (settings: DeviceSettings, context: DriverContext) => {
    const terms = termsOf(settings, await ownCertificate(settings, context), context);
    const link = await openLink(terms, context);
    try {
      return await beginSession(link, settings, context.signal);
    } catch (error) {
      await link.close();
      throw error;
    }
  };
  return {
    protocol: 'opcua',
    connect,
    discover: (request, context) => discover(request, { ...context, connect }),
  };
}
