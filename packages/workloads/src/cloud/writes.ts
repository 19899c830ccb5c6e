/** Writes whose usual refusals are fine: what was to be there is there, what was to go is gone. */
import { type Gvr, isStatus, type KubeObject, type Ref } from '@skerry/api';
import type { Client, DeleteOptions } from '@skerry/kube/client';

/** True when it was made by this call. */
export async function createIfMissing(client: Client, gvr: Gvr, object: KubeObject): Promise<boolean> {
  try {
    await client.create(gvr, object);
    return true;
  } catch (error) {
    if (isStatus(error, 'AlreadyExists')) return false;
    // Nothing can be made in a namespace that is on its way out, nor needs to be.
    if (isNamespaceGoing(error)) return false;
    throw error;
  }
}

/** True when it was deleted by this call; false when it is gone, or is another one by now. */
export async function deleteIfThere(client: Client, ref: Ref, options: DeleteOptions = {}): Promise<boolean> {
  try {
    await client.delete(ref, options);
    return true;
  } catch (error) {
    if (isStatus(error, 'NotFound', 'Conflict')) return false;
    throw error;
  }
}

export function isNamespaceGoing(error: unknown): boolean {
  return isStatus(error, 'Forbidden') && /being terminated/.test(error.message);
}

export function refOf(gvr: Gvr, { metadata }: KubeObject): Ref {
  const { namespace, name = '' } = metadata;
  return { gvr, name, ...(namespace === undefined ? {} : { namespace }) };
}
