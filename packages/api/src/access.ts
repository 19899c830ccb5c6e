/** What the API server and the hub ask of security: who is it, may they, and write it down. */

/** A person or program, as authentication established it (authentication.k8s.io UserInfo). */
export interface UserInfo {
  readonly username: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** What a request wants, in the words of RBAC. */
export interface Attributes {
  readonly user: UserInfo;
  readonly verb: string;
  /** Requests for resources have all of these; the others only `path`. */
  readonly resource?: {
    readonly group: string;
    readonly version: string;
    readonly resource: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
    readonly fieldSelector?: string;
  };
  readonly path: string;
}

export interface Decision {
  readonly allowed: boolean;
  /** True when the answer is final and no later authorizer may allow. */
  readonly denied?: boolean;
  readonly reason?: string;
}

/** Synchronous on purpose: policy is read from an informer's cache or the store in process, never over a network. */
export interface Authorizer {
  authorize(attributes: Attributes): Decision;
}

/** The facts of a request that identity may come from. Never a forwarded header. */
export interface Credentials {
  /** DER of the client certificate the TLS layer received, and whether its chain led to our CA. */
  readonly peerCertificate?: { readonly raw: Uint8Array; readonly authorized: boolean };
  readonly bearerToken?: string;
}

export type Authentication =
  | { readonly kind: 'user'; readonly user: UserInfo }
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'refused'; readonly reason: string };

export interface Authenticator {
  authenticate(credentials: Credentials): Promise<Authentication>;
}

/** One line of the audit log: metadata only, never a body. */
export interface AuditEvent {
  /** RFC 3339 with milliseconds. */
  readonly time: string;
  readonly user: string;
  readonly groups?: readonly string[];
  readonly verb: string;
  readonly path: string;
  readonly code: number;
  readonly sourceIp?: string;
  readonly reason?: string;
  /** What policies and webhooks want to be known of the request. */
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface AuditLog {
  /** Hash-chains and appends; must not throw into the request. */
  append(event: AuditEvent): void;
}

/** Envelope encryption of a cell at rest. `cell` names where the value stands, so that sealed values cannot be swapped. */
export interface Sealer {
  seal(cell: string, plain: Uint8Array): Uint8Array;
  /** Throws when the key is wrong, or the bytes were altered or moved to another cell. */
  open(cell: string, sealed: Uint8Array): Uint8Array;
}
