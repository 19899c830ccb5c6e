/** A key pair for the library's server, which shares with its endpoints only what is of this class. Nothing of it is on disk. */
import { ResolvedCertificateKeyPairProvider } from 'node-opcua-common';
import type { KeyPair } from '../opcua/own-certificate.ts';
import { keysOf } from '../opcua/own-certificate.ts';

/** The library's word for it. */
export const IN_MEMORY = '<in-memory>';

export class HeldKeyPair extends ResolvedCertificateKeyPairProvider {
  readonly #keys: ReturnType<typeof keysOf>;

  constructor(pair: KeyPair) {
    const keys = keysOf(pair);
    super(IN_MEMORY, IN_MEMORY, keys.getPrivateKey());
    this.#keys = keys;
  }

  override getCertificateChain(): Buffer[] {
    return this.#keys.getCertificateChain();
  }
}
