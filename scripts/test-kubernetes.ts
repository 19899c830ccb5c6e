/**
 * `npm run test:kubernetes [-- --kubeconfig FILE] [--image IMAGE]`: every requirement of test/conformance against the cluster of
 * that file; without one, against ours. `--image` has a shell and runs on the cluster's nodes.
 */
import { globSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildBundles } from './build.ts';
import { ROOT, run, scriptEnv } from './tasks.ts';

const { values } = parseArgs({ options: { kubeconfig: { type: 'string' }, image: { type: 'string' } } });
if (values.kubeconfig === undefined) await buildBundles();
const files = globSync('test/conformance/*.test.ts', { cwd: ROOT }).sort();
process.exitCode = run(
  process.execPath,
  ['--conditions=source', '--test', '--test-concurrency=1', '--test-reporter=spec', ...files],
  scriptEnv({
    // A file is named from where the command was called.
    ...(values.kubeconfig === undefined
      ? {}
      : { SKERRY_CONFORMANCE_KUBECONFIG: resolve(process.env['INIT_CWD'] ?? ROOT, values.kubeconfig) }),
    ...(values.image === undefined ? {} : { SKERRY_CONFORMANCE_IMAGE: values.image }),
  }),
);
