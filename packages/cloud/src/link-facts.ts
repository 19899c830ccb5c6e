/** Where nodes join and whom they should meet there, published in the cloud's own API for `skerry token create`. */
import { type Gvr, isStatus, type KubeObject } from '@skerry/api';
import { formatHostPort } from '@skerry/base/flags';
import type { Client } from '@skerry/kube/client';
import type { Pki } from '@skerry/security/pki';

const CONFIG_MAPS: Gvr = { group: '', version: 'v1', resource: 'configmaps' };
const REF = { gvr: CONFIG_MAPS, namespace: 'kube-public', name: 'skerry-link' };

export interface LinkFacts {
  readonly names: readonly string[];
  readonly port: number;
  readonly pki: Pick<Pki, 'caPem' | 'caFingerprint'>;
}

export async function publishLink(client: Client, { names, port, pki }: LinkFacts): Promise<void> {
  const addresses = names.map((host) => formatHostPort({ host, port })).join(',');
  const wanted: KubeObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: REF.namespace, name: REF.name },
    data: { addresses, caHash: pki.caFingerprint, 'ca.crt': pki.caPem },
  };
  try {
    await client.create(CONFIG_MAPS, wanted);
  } catch (error) {
    if (!isStatus(error, 'AlreadyExists')) throw error;
    await client.update(CONFIG_MAPS, wanted);
  }
}
