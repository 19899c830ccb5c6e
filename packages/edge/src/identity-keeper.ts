/** The node's identity while the agent runs: joined once, renewed at half life, and after its end as soon as the cloud answers. */
import { copyFileSync } from 'node:fs';
import { type BackoffPolicy, backoffDelay, type Clock, hasCode, type Logger, messageOf } from '@skerry/base';
import {
  type CloudDoor,
  joinCloud,
  loadIdentity,
  type NodeIdentity,
  nextRenewal,
  nodeDoor,
  parseJoinToken,
  renewIdentity,
  saveIdentity,
} from '@skerry/security/identity';
import { certificateFromPem } from '@skerry/security/pki';
import { edgeErrors } from './errors.ts';

export interface JoinRequest {
  readonly token?: string;
  readonly node?: string;
  readonly addresses: readonly string[];
}

const RETRY: BackoffPolicy = { baseMs: 5_000, capMs: 10 * 60_000 };
/** A longer sleep than this would outlast what a timer can hold, and a clock that was set meanwhile should be noticed. */
const LONGEST_SLEEP_MS = 60 * 60_000;

export interface IdentityContext {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** The way to the cloud; the real one unless a test brings its own. */
  readonly door?: CloudDoor;
}

/** Joins with the token. A token is needed once: giving it again does no harm, and giving a new one joins anew. */
export async function openIdentity(context: IdentityContext, request: JoinRequest): Promise<NodeIdentity> {
  const { directory } = context;
  const known = loadOrSetAside(context, request);
  if (known === undefined) {
    if (request.token === undefined) throw edgeErrors.NOT_JOINED({ dir: directory });
    return join(context, request, request.token);
  }
  const isNew = request.token !== undefined && parseJoinToken(request.token).id !== known.tokenId;
  const current = isNew ? await joinAnew(context, request, known, request.token) : known;
  return withAddresses(directory, current, request.addresses);
}

/** A damaged identity stops the node, which must not go on as somebody else, unless it brings a token to join anew with. */
function loadOrSetAside({ directory, log }: IdentityContext, { token }: JoinRequest): NodeIdentity | undefined {
  try {
    return loadIdentity(directory);
  } catch (error) {
    if (!hasCode(error, 'SECURITY_PKI_UNREADABLE')) throw error;
    const file = String(error.facts['file']);
    if (token === undefined) throw edgeErrors.IDENTITY_DAMAGED({ file }, { cause: error });
    const aside = `${file}.damaged`;
    copyFileSync(file, aside);
    log.error({ file, aside }, 'the identity is damaged; the node joins anew');
    return undefined;
  }
}

async function join(context: IdentityContext, request: JoinRequest, token: string): Promise<NodeIdentity> {
  const { directory, clock, log, door = nodeDoor({ clock }) } = context;
  const { node, addresses } = request;
  const identity = await joinCloud({ door, token, addresses, log, ...(node === undefined ? {} : { node }) });
  saveIdentity(directory, identity);
  return identity;
}

/** Invariant: a node that has an identity starts without the cloud; a token that brings no new one stops nothing. */
async function joinAnew(
  context: IdentityContext,
  request: JoinRequest,
  known: NodeIdentity,
  token: string,
): Promise<NodeIdentity> {
  try {
    return await join(context, request, token);
  } catch (error) {
    context.log.warn({ error: messageOf(error) }, 'not joined anew; the node goes on with the identity it has');
    return known;
  }
}

function withAddresses(directory: string, identity: NodeIdentity, addresses: readonly string[]): NodeIdentity {
  if (addresses.length === 0) return identity;
  const moved = { ...identity, addresses };
  saveIdentity(directory, moved);
  return moved;
}

export interface IdentityKeeper {
  readonly current: NodeIdentity;
  /** The link was refused, perhaps for an ended certificate or a wrong clock: renew now instead of at half life. */
  renewNow(): void;
}

export interface KeeperOptions extends IdentityContext {
  readonly identity: NodeIdentity;
  readonly signal: AbortSignal;
  /** A new certificate is in use from now on. */
  readonly onRenewed: () => void;
}

export function keepIdentity(options: KeeperOptions): IdentityKeeper {
  const keeper = new Keeper(options);
  void keeper.run();
  return keeper;
}

type Outcome = 'renewed' | 'refused' | 'unreachable';

class Keeper implements IdentityKeeper {
  readonly #options: KeeperOptions;
  current: NodeIdentity;
  #wake = new AbortController();
  #isWanted = false;
  #isRefused = false;
  // How far this machine's clock is ahead of the cloud's signed time: with a wrong clock every certificate would look due.
  #clockOffsetMs = 0;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.current = options.identity;
  }

  renewNow(): void {
    this.#isWanted = true;
    this.#wake.abort();
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    for (let failures = 0; !signal.aborted; ) {
      const isWoken = await this.#sleepUntilDue(failures);
      if (signal.aborted) return;
      if (!this.#isWanted && this.#dueIn() > 0) continue;
      this.#isWanted = false;
      this.#wake = new AbortController();
      const outcome = await this.#renew();
      this.#isRefused = outcome === 'refused';
      failures = outcome === 'renewed' ? 0 : isWoken ? 1 : failures + 1;
      this.#isWanted ||= outcome !== 'renewed';
    }
  }

  #dueIn(): number {
    const now = this.#options.clock.now() - this.#clockOffsetMs;
    return nextRenewal(certificateFromPem(this.current.certificatePem), now);
  }

  /** Resolves to whether it was woken before its time. */
  async #sleepUntilDue(failures: number): Promise<boolean> {
    const { clock, signal } = this.#options;
    const pause =
      failures > 0 ? backoffDelay(RETRY, failures - 1) : this.#isWanted ? 0 : Math.min(this.#dueIn(), LONGEST_SLEEP_MS);
    // After a refusal only time helps: what wakes us may be the very refusal that renewal could not mend.
    // A cloud that was away and now refuses the link is back, and has not refused the renewal yet.
    const wakes = this.#isRefused ? [signal] : [signal, this.#wake.signal];
    return clock.sleep(pause, AbortSignal.any(wakes)).then(
      () => false,
      () => true,
    );
  }

  async #renew(): Promise<Outcome> {
    const { clock, directory, log, onRenewed, door = nodeDoor({ clock }) } = this.#options;
    try {
      const { identity, cloudTime } = await renewIdentity({ door, identity: this.current });
      saveIdentity(directory, identity);
      this.current = identity;
      this.#clockOffsetMs = clock.now() - cloudTime;
      log.info({ node: identity.node, clockOffsetMs: this.#clockOffsetMs }, 'certificate renewed');
      onRenewed();
      return 'renewed';
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'certificate not renewed');
      return hasCode(error, 'SECURITY_CLOUD_UNREACHABLE') ? 'unreachable' : 'refused';
    }
  }
}
