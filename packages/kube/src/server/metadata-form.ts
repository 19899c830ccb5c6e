/** PartialObjectMetadata: objects cut down to their metadata, as garbage collectors read them. */
import type { KubeObject } from '@skerry/api';

const META_V1 = 'meta.k8s.io/v1';

export function toPartialMetadata(object: KubeObject): KubeObject {
  return { kind: 'PartialObjectMetadata', apiVersion: META_V1, metadata: object.metadata };
}

export const PARTIAL_METADATA_LIST = { kind: 'PartialObjectMetadataList', apiVersion: META_V1 } as const;
