import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the checkout that the tests run in. */
export const CHECKOUT: string = dirname(dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url))))));
