/** Who this node is towards servers: one certificate for all its connections. */
import { join } from 'node:path';
import type { DriverHome } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';
import { type KeyPair, keyPairOf, ownKeyPair, passingKeyPair } from '../../opcua/own-certificate.ts';

type Secret = Readonly<Record<string, Uint8Array>>;

/** `application.crt` and `application.key` of the Secret, where a site gives out certificates itself. */
export function certificateInSecret(secret: Secret): KeyPair | undefined {
  const [certificate, key] = [secret['application.crt'], secret['application.key']];
  if (certificate === undefined || key === undefined) return undefined;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  try {
    return keyPairOf(`${text(key)}\n${text(certificate)}`);
  } catch (cause) {
    throw new DriverError('Misconfigured', `the application's own certificate ${(cause as Error).message}`, { cause });
  }
}

/** Kept in its folder; without a home it is another one with each start. */
export function certificateOfNode(home: DriverHome | undefined, now: number): Promise<KeyPair> {
  if (home === undefined) return passingKeyPair(factsOf('passing'), now);
  return ownKeyPair(join(home.folder, 'application.pem'), factsOf(home.node), now);
}

function factsOf(node: string) {
  return { commonName: `Skerry ${node}`, applicationUri: `urn:skerry:${node}:opcua`, hosts: [] };
}
