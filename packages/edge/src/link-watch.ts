/** Says in the log how the link fares, and has the certificate renewed when the hub does not take it. */
import type { Logger } from '@skerry/base';
import type { EdgeLink, EdgeLinkStatus, RefusalCode } from '@skerry/link/node';
import type { IdentityKeeper } from './identity-keeper.ts';

/** What each refusal means for whoever reads the log. */
const ADVICE: Readonly<Record<RefusalCode, string>> = {
  busy: 'the cloud has no time for this node yet; it tries again',
  certificate: 'the cloud does not take the certificate at this time; it is renewed',
  copy: 'another agent has this node’s identity and is connected; if that one is the copy, revoke the node and join it anew',
  revoked: "the cloud has revoked this node; join it anew with a token of 'skerry token create'",
  version: 'the cloud speaks no version of the link that this agent knows; upgrade the older of the two',
  other: 'the cloud does not let this node in; it tries again',
};

/** The returned function ends it. */
export function watchLink(
  link: Pick<EdgeLink, 'onStatus'>,
  keeper: Pick<IdentityKeeper, 'current' | 'renewNow'>,
  log: Logger,
): () => void {
  let told = '';
  let renewedFor: string | undefined;
  return link.onStatus((status) => {
    const state = stateOf(status);
    if (state !== told) tell(log, status);
    told = state;
    // Once for each certificate: a refusal that a new one does not mend is not mended by the next either.
    const { certificatePem } = keeper.current;
    if (status.connected || status.refused?.code !== 'certificate' || certificatePem === renewedFor) return;
    renewedFor = certificatePem;
    keeper.renewNow();
  });
}

function stateOf({ connected, refused }: EdgeLinkStatus): string {
  if (connected) return 'connected';
  return refused === undefined ? 'cut off' : `refused: ${refused.code}`;
}

function tell(log: Logger, { connected, refused, lastError, sessionNumber }: EdgeLinkStatus): void {
  if (connected) log.info({ sessionNumber }, 'linked to the cloud');
  else if (refused !== undefined) log.warn({ refusal: refused.code, advice: ADVICE[refused.code] }, 'link refused');
  else log.warn({ error: lastError }, 'cut off from the cloud; the node goes on alone');
}
