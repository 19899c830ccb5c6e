export type { ImageRegistry } from '../image-kinds/index.ts';
export { openBlobStore } from './blob-store.ts';
export type {
  BlobFetchOptions,
  BlobStore,
  BlobWriter,
  Descriptor,
  Digest,
  FetchOptions,
  ImageIndex,
  ImageManifest,
  ImageReference,
  ImageSource,
  ImageStore,
  Platform,
  PlatformDescriptor,
  PullOptions,
  PullProgress,
  RegistryCredentials,
  StoredImage,
} from './contract.ts';
export { digestOf, parseDigest } from './digest.ts';
export { imageErrors } from './errors.ts';
export { putBlob, readBlob } from './fetch-blob.ts';
export { type FoundImage, ImagePuller, type ImagePullerOptions } from './image-puller.ts';
export { type ImageStoreOptions, openImageStore } from './image-store.ts';
export {
  type ImageConfig,
  MANIFEST_TYPES,
  MAX_CONFIG_BYTES,
  MAX_MANIFEST_BYTES,
  MediaType,
  parseConfig,
  parseManifest,
} from './manifest.ts';
export { type ChosenSourceOptions, createChosenSource, type Way } from './over-link/chosen-source.ts';
export { createImageDoor, type ImageDoorOptions } from './over-link/image-door.ts';
export { createLinkSource, type OpenBlob } from './over-link/link-source.ts';
export { createPacedSource, type PacedSourceOptions } from './paced-source.ts';
export { platformOf, selectPlatform } from './platform.ts';
export { canonicalRegistry, DOCKER_HUB, formatReference, parseReference, repositoryName } from './reference.ts';
export type { RegistryAccess, RegistrySettings } from './registry/access.ts';
export { createRegistrySource, type RegistrySourceOptions } from './registry/registry-source.ts';
export { closedTo } from './registry/shield.ts';
export { type RegistryRules, rulesOf } from './registry-rules.ts';
