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
}
