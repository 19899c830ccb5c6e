/** The place of the library's certificate store, of servers and of clients: somebody else decides, and hears whom it refused. */
import { crypto_utils as crypto, type OPCUAClientOptions, type StatusCode, StatusCodes } from 'node-opcua-client';
import type { Refusal } from './trust.ts';

export type CertificateStore = NonNullable<OPCUAClientOptions['clientCertificateManager']>;

export interface StoreOptions {
  /** Undefined for what is accepted. The chain begins with the certificate itself. */
  readonly judge: (chain: readonly Uint8Array[]) => Refusal | undefined;
  /** The library also asks about our own, which is nobody's to judge. */
  readonly own: Uint8Array | undefined;
  readonly onRefused: (certificate: Uint8Array, refusal: Refusal) => void;
}

/** One certificate, several one after another, or a list. */
type Given = Uint8Array | readonly Uint8Array[];

type Callback = (error: Error | null, status?: StatusCode) => void;

/** Nothing is ever added to it from here. */
export function certificateStore({ judge, own, onRefused }: StoreOptions): CertificateStore {
  const decide = (given: Given): StatusCode => {
    const chain = given instanceof Uint8Array ? crypto.split_der(Buffer.from(given)) : given;
    const [first] = chain;
    if (first === undefined) return StatusCodes.BadCertificateInvalid;
    if (own !== undefined && Buffer.compare(first, own) === 0) return StatusCodes.Good;
    const refusal = judge(chain);
    if (refusal === undefined) return StatusCodes.Good;
    onRefused(first, refusal);
    return StatusCodes[refusal.code];
  };
  return {
    referenceCounter: 0,
    initialize: async () => {},
    dispose: async () => {},
    // For users, servers ask with a callback.
    checkCertificate: async (certificate: Given, callback?: Callback) => {
      const status = decide(certificate);
      callback?.(null, status);
      return status;
    },
    verifyCertificate: async (certificate: Given) => decide(certificate).name,
    getTrustStatus: async (certificate: Given) => decide(certificate),
    trustCertificate: async () => {},
    rejectCertificate: async () => {},
    addIssuer: async () => undefined,
    addRevocationList: async () => undefined,
  };
}
