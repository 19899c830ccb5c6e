/** Which claim a volume of a pod is about: the one it names, or the one that was made for it. */

interface ClaimingVolume {
  readonly name: string;
  readonly persistentVolumeClaim?: { readonly claimName: string };
  readonly ephemeral?: object;
}

interface ClaimingPod {
  readonly metadata: { readonly name?: string };
  readonly spec?: { readonly volumes?: readonly ClaimingVolume[] };
}

/** Undefined for a volume that has no claim. */
export function claimNameOf({ metadata }: ClaimingPod, volume: ClaimingVolume): string | undefined {
  if (volume.ephemeral !== undefined) return `${metadata.name}-${volume.name}`;
  return volume.persistentVolumeClaim?.claimName;
}

export function claimNamesOf(pod: ClaimingPod): string[] {
  return (pod.spec?.volumes ?? []).flatMap((volume) => claimNameOf(pod, volume) ?? []);
}
