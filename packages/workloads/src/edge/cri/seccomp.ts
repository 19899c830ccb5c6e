/** Profiles of seccomp and AppArmor as CRI names them. Pure. */
import { RuntimeRefusal } from '../runtime.ts';
import { Profile } from './schema.ts';

interface NamedProfile {
  readonly type?: string;
  readonly localhostProfile?: string;
}

/** Without a word of the pod nothing is confined, as on any node without a default profile. */
export function profileOf(profile: NamedProfile | undefined): { type: number; localhostRef?: string } {
  switch (profile?.type) {
    case undefined:
    case 'Unconfined':
      return { type: Profile.unconfined };
    case 'RuntimeDefault':
      return { type: Profile.runtimeDefault };
    case 'Localhost':
      return { type: Profile.localhost, localhostRef: profile.localhostProfile ?? '' };
    default:
      throw new RuntimeRefusal('CreateContainerConfigError', `unknown profile type ${profile?.type}`);
  }
}
