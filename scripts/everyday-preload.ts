/**
 * Loaded into each test process of `npm test`: the same histories every day, so that a red run says that the change broke
 * something. New histories are the work of `npm run test:long`, which draws a new seed each time.
 */
import fc from 'fast-check';

const EVERYDAY_SEED = 20_261_124;

fc.configureGlobal({ seed: EVERYDAY_SEED });
