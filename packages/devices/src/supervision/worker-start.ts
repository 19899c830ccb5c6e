/** What the agent tells a worker when it starts it. */
export interface WorkerStart {
  readonly node: string;
  /** Of the node's API. */
  readonly socket: string;
  /** For the API, and asked of whoever comes to the worker. */
  readonly token: string;
  /** Where the worker serves live values. */
  readonly values: string;
  /** Where drivers of others come to. */
  readonly drivers: string;
  /** Where it remembers what was sent to devices. */
  readonly ledger: string;
}

/** What the agent tells the OPC UA gateway. */
export interface GatewayStart extends Pick<WorkerStart, 'node' | 'socket' | 'token' | 'values'> {
  /** Where it keeps the keys that it makes. */
  readonly folder: string;
  /** Said by the gateway to the processes that it starts: which share of which server is theirs, the first one's is 0. */
  readonly shard?: { readonly server: string; readonly index: number };
}

/** The worker asks whoever started it for a certificate by which the site serves under these names. */
export interface CertificateQuestion {
  readonly certificateOf: readonly string[];
  /** Comes back with the answer. */
  readonly id: number;
}

export type CertificateAnswer =
  | { readonly id: number; readonly issued: SiteCertificate }
  | { readonly id: number; readonly refusal: string };

/** In PEM. */
export interface SiteCertificate {
  readonly certificate: string;
  readonly key: string;
  /** Of whoever issued it: what clients must trust. */
  readonly authority: string;
}
