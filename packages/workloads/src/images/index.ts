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
export {
  MANIFEST_TYPES,
  MAX_CONFIG_BYTES,
  MAX_MANIFEST_BYTES,
  MediaType,
  parseManifest,
} from './manifest.ts';
export { platformOf, selectPlatform } from './platform.ts';
export { DOCKER_HUB, formatReference, parseReference, repositoryName } from './reference.ts';
