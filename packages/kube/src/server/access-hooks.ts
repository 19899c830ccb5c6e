/** What the server asks of security beyond yes and no. Injected: `kube` knows only these shapes. */
import type { UserInfo } from '@skerry/api';

/** What a token is asked for (authentication.k8s.io TokenRequest). */
export interface TokenGrant {
  readonly namespace: string;
  readonly serviceAccount: { readonly name: string; readonly uid: string };
  readonly audiences?: readonly string[];
  readonly expirationSeconds?: number;
  readonly pod?: { readonly name: string; readonly uid: string };
  readonly secret?: { readonly name: string; readonly uid: string };
  /** The node of `pod`, when it has one. */
  readonly node?: { readonly name: string; readonly uid?: string };
}

export interface IssuedToken {
  readonly token: string;
  readonly expirationTimestamp: string;
  /** What became of a grant that names no audience is said here. */
  readonly claims: { readonly audiences: readonly string[] };
}

export type TokenReviewResult =
  | { readonly authenticated: true; readonly user: UserInfo; readonly audiences?: readonly string[] }
  | { readonly authenticated: false; readonly error?: string };

export interface RulesReview {
  readonly resourceRules: readonly object[];
  readonly nonResourceRules: readonly object[];
  readonly incomplete: boolean;
}

/** A role or a binding on its way to being written; `namespace` is absent for those of the cluster. */
export interface RoleWrite {
  readonly user: UserInfo;
  readonly namespace?: string;
  readonly name: string;
}

export interface PolicyRule {
  readonly verbs: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

export interface RoleRef {
  readonly apiGroup?: string;
  readonly kind: 'Role' | 'ClusterRole';
  readonly name: string;
}

export interface AccessHooks {
  /** Throws 403 when the user writes rules into a role that they do not hold themselves. */
  readonly checkRole?: (write: RoleWrite, rules: readonly PolicyRule[]) => void;
  /** Throws 403 when the user binds a role that holds more than they do. */
  readonly checkBinding?: (write: RoleWrite, roleRef: RoleRef) => void;
  /** Answers TokenRequest; without it the subresource is not served. */
  readonly issueToken?: (grant: TokenGrant) => IssuedToken | Promise<IssuedToken>;
  readonly reviewToken?: (token: string, audiences: readonly string[]) => Promise<TokenReviewResult>;
  readonly reviewRules?: (user: UserInfo, namespace: string) => RulesReview;
  /** Who acts when `impersonate-*` headers are sent; throws 403 when that is not permitted. */
  readonly impersonate?: (user: UserInfo, headers: Readonly<Record<string, string | undefined>>) => UserInfo;
}
