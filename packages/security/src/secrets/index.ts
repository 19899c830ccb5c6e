export { type KeyFileOptions, keyFileFor, openSealer, rotateSealKey } from './key-file.ts';
export { openWithPassphrase, sealWithPassphrase } from './passphrase.ts';
export { createSealer, SEAL_KEY_BYTES } from './sealer.ts';
