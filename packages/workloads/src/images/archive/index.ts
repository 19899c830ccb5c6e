export { type CollectOptions, collectImages } from './collect-set.ts';
export { type ArchivedManifest, type ImageArchive, openImageArchive, writeImageArchive } from './image-archive.ts';
export { importedName } from './imported-name.ts';
export { type AskRegistry, pushImage } from './push-image.ts';
