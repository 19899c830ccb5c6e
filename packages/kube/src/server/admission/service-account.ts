/** Every pod has a service account, and its containers find the account's token where clients look for it. */
import type { KubeObject } from '@skerry/api';
import { newNameSuffix } from '@skerry/base';
import { type AdmissionStep, type Admitted, type Engine, groupResource } from '../engine.ts';
import { forbidden } from '../statuses.ts';
import { type Container, isMirror, isNewPod, lookUp, type PodSpec, specOf } from './lookup.ts';

const DEFAULT_ACCOUNT = 'default';
const TOKEN_MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
const VOLUME_PREFIX = 'kube-api-access-';

// A little over an hour: nodes ask again at four fifths of it, and servers know clients by this odd number.
const TOKEN_SECONDS = 3607;

export const serviceAccount: AdmissionStep = {
  name: 'ServiceAccount',
  admit: (engine, admitted) => {
    if (!isNewPod(admitted)) return;
    if (isMirror(admitted.object)) checkMirror(admitted);
    else assignAccount(engine, admitted);
  },
};

function checkMirror(admitted: Admitted): void {
  const { serviceAccountName } = specOf(admitted.object);
  if (serviceAccountName === undefined || serviceAccountName === '') return;
  const why = 'a mirror pod may not reference service accounts';
  throw forbidden(groupResource(admitted.kind), admitted.name, why);
}

function assignAccount(engine: Engine, admitted: Admitted): void {
  const spec = specOf(admitted.object);
  spec.serviceAccountName ||= DEFAULT_ACCOUNT;
  // The old name of the field says the same; defaulting, which keeps both equal, is done by now.
  spec.serviceAccount = spec.serviceAccountName;
  const account = findAccount(engine, admitted, spec.serviceAccountName);
  if (mounts(spec, account)) mountToken(engine, spec);
  const pullSecrets = account?.['imagePullSecrets'] as PodSpec['imagePullSecrets'];
  if ((spec.imagePullSecrets?.length ?? 0) === 0 && pullSecrets !== undefined) spec.imagePullSecrets = pullSecrets;
}

/** The default account of a young namespace may still be on its way; its token is asked for only at the node. */
function findAccount(engine: Engine, { namespace, name, kind }: Admitted, account: string): KubeObject | undefined {
  const found = lookUp(engine, '', 'serviceaccounts', { namespace, name: account });
  if (found !== undefined || account === DEFAULT_ACCOUNT) return found;
  const why = `error looking up service account ${namespace}/${account}: serviceaccount "${account}" not found`;
  throw forbidden(groupResource(kind), name, why);
}

/** The pod's word counts before its account's. */
function mounts(spec: PodSpec, account: KubeObject | undefined): boolean {
  if (spec.automountServiceAccountToken !== undefined) return spec.automountServiceAccountToken;
  return account?.['automountServiceAccountToken'] !== false;
}

function mountToken(engine: Engine, spec: PodSpec): void {
  const existing = spec.volumes?.find(({ name }) => name.startsWith(VOLUME_PREFIX));
  const name = existing?.name ?? `${VOLUME_PREFIX}${newNameSuffix(5, engine.random)}`;
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  const mounted = containers.map((container) => addMount(container, name));
  if (!mounted.includes(true) || existing !== undefined) return;
  spec.volumes = [...(spec.volumes ?? []), tokenVolume(name)];
}

/** Returns false when something else stands at the path already. */
function addMount(container: Container, name: string): boolean {
  const mountsNow = container.volumeMounts ?? [];
  if (mountsNow.some(({ mountPath }) => mountPath === TOKEN_MOUNT_PATH)) return false;
  container.volumeMounts = [...mountsNow, { name, readOnly: true, mountPath: TOKEN_MOUNT_PATH }];
  return true;
}

function tokenVolume(name: string): { name: string; projected: object } {
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
      defaultMode: 0o644,
    },
  };
}
