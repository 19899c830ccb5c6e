/** A test reporter that ends a run with its counts and names every failure and every skip with its reason. */
import type { TestEvent } from 'node:test/reporters';

export default async function* closingLines(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const failures: string[] = [];
  const skips: string[] = [];
  const slow: { name: string; ms: number }[] = [];
  let passed = 0;
  for await (const event of source) {
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue;
    const { name, file, skip, details } = event.data;
    // A file is a test of its own, reported only when it broke outside of its tests: that counts, its success does not.
    const isFile = file?.endsWith(name) === true;
    if (details.type === 'suite' || (isFile && event.type === 'test:pass')) continue;
    const label = `${file ?? ''} › ${name}`;
    if (skip !== undefined && skip !== false) skips.push(`${label}: ${skip === true ? 'no reason given' : skip}`);
    else if (event.type === 'test:pass') passed++;
    else failures.push(`${label}\n${describe(event.data.details.error)}`);
    slow.push({ name: label, ms: details.duration_ms });
  }
  yield '\n';
  for (const failure of failures) yield `FAILED ${failure}\n`;
  for (const skip of skips) yield `skipped ${skip}\n`;
  const slowest = slow.sort((a, b) => b.ms - a.ms).slice(0, 5);
  for (const { name, ms } of slowest) yield `slow: ${(ms / 1000).toFixed(1)} s ${name}\n`;
  if (skips.length > 0 && process.env['SKERRY_TEST_REQUIRE'] === 'all') {
    yield 'nothing may be skipped here (SKERRY_TEST_REQUIRE=all)\n';
    process.exitCode = 1;
  }
  yield `tests: ${passed} passed, ${failures.length} failed, ${skips.length} skipped\n`;
}

function describe(error: Error & { cause?: unknown }): string {
  const cause = error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : error.message;
  return cause
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}
