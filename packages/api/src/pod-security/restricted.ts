/** The restricted profile: what the baseline demands, and what hardening demands beyond it. */
import type { Container, Volume } from '../generated/types.ts';
import { addedBeyond, setters } from './baseline.ts';
import { type Check, isWindows, namesOf, quoted, type Subject, several, sortedSet, type Violation } from './subject.ts';

/** Windows knows nothing of privilege escalation, capabilities and seccomp; that was taken into account from then on. */
const WINDOWS_EXEMPT = 25;

const exempt = (since: number, find: Check['find']): Check[] => [
  { since, until: WINDOWS_EXEMPT, find },
  { since: WINDOWS_EXEMPT, find: (subject) => (isWindows(subject) ? undefined : find(subject)) },
];

export const RESTRICTED: readonly Check[] = [
  ...exempt(8, privilegeEscalation),
  ...exempt(22, capabilities),
  { find: volumeTypes },
  { find: runAsNonRoot },
  { since: 23, find: runAsUser },
  ...exempt(19, seccomp),
];

function privilegeEscalation({ containers }: Subject): Violation | undefined {
  const bad = containers.filter(({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
  if (bad.length === 0) return undefined;
  const who = several('container', namesOf(bad));
  return {
    reason: 'allowPrivilegeEscalation != false',
    detail: `${who} must set securityContext.allowPrivilegeEscalation=false`,
  };
}

const MAY_ADD = new Set(['NET_BIND_SERVICE']);

function capabilities({ containers }: Subject): Violation | undefined {
  const keepsSome = ({ securityContext }: Container) => !(securityContext?.capabilities?.drop ?? []).includes('ALL');
  const keepers = namesOf(containers.filter(keepsSome));
  const details = [
    ...(keepers.length === 0
      ? []
      : [`${several('container', keepers)} must set securityContext.capabilities.drop=["ALL"]`]),
    addedBeyond(containers, MAY_ADD),
  ].filter((detail) => detail !== undefined);
  return details.length === 0 ? undefined : { reason: 'unrestricted capabilities', detail: details.join('; ') };
}

const VOLUME_TYPES = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
]);

function volumeTypes({ spec }: Subject): Violation | undefined {
  const bad = (spec.volumes ?? []).filter((volume) => forbiddenType(volume) !== undefined);
  if (bad.length === 0) return undefined;
  const types = sortedSet(bad.map((volume) => forbiddenType(volume) ?? ''));
  const volumes = several(
    'volume',
    bad.map(({ name }) => name),
  );
  const noun = types.length === 1 ? 'restricted volume type' : 'restricted volume types';
  return {
    reason: 'restricted volume types',
    detail: `${volumes} ${bad.length === 1 ? 'uses' : 'use'} ${noun} ${quoted(types)}`,
  };
}

function forbiddenType(volume: Volume): string | undefined {
  return Object.keys(volume).find((type) => type !== 'name' && !VOLUME_TYPES.has(type));
}

function runAsNonRoot({ spec, containers }: Subject): Violation | undefined {
  const ofPod = spec.securityContext?.runAsNonRoot;
  const explicit = containers.filter(({ securityContext }) => securityContext?.runAsNonRoot === false);
  const silent = containers.filter(({ securityContext }) => securityContext?.runAsNonRoot === undefined);
  const reason = 'runAsNonRoot != true';
  const who = setters(ofPod === false, explicit);
  if (explicit.length > 0 || (ofPod === false && silent.length > 0)) {
    return { reason, detail: `${who} must not set securityContext.runAsNonRoot=false` };
  }
  if (ofPod === true || silent.length === 0) return undefined;
  return {
    reason,
    detail: `pod or ${several('container', namesOf(silent))} must set securityContext.runAsNonRoot=true`,
  };
}

function runAsUser({ spec, containers }: Subject): Violation | undefined {
  const bad = containers.filter(({ securityContext }) => securityContext?.runAsUser === 0);
  const who = setters(spec.securityContext?.runAsUser === 0, bad);
  return who === '' ? undefined : { reason: 'runAsUser=0', detail: `${who} must not set runAsUser=0` };
}

const SECCOMP_TYPES: readonly (string | undefined)[] = ['RuntimeDefault', 'Localhost'];

function seccomp({ spec, containers }: Subject): Violation | undefined {
  const ofPod = spec.securityContext?.seccompProfile?.type;
  const typeOf = ({ securityContext }: Container) => securityContext?.seccompProfile?.type;
  const explicit = containers.filter(
    (container) => typeOf(container) !== undefined && !SECCOMP_TYPES.includes(typeOf(container)),
  );
  const silent = containers.filter((container) => typeOf(container) === undefined);
  const isPodBad = ofPod !== undefined && !SECCOMP_TYPES.includes(ofPod);
  const reason = 'seccompProfile';
  if (explicit.length > 0 || (isPodBad && silent.length > 0)) {
    const types = sortedSet([...(isPodBad ? [ofPod] : []), ...explicit.map((container) => typeOf(container) ?? '')]);
    const who = setters(isPodBad, explicit);
    return { reason, detail: `${who} must not set securityContext.seccompProfile.type to ${quoted(types)}` };
  }
  if (ofPod !== undefined || silent.length === 0) return undefined;
  const who = `pod or ${several('container', namesOf(silent))}`;
  return { reason, detail: `${who} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"` };
}
