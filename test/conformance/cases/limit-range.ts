/** LimitRanges: what pods get by default, and what is out of their bounds. */
import assert from 'node:assert/strict';
import type { LimitRangeItem } from '@skerry/api/types';
import { absent, type Lab, refused } from '../lab.ts';
import { type Requirement, requirement } from '../requirement.ts';
import { podSpec } from '../workloads.ts';

const NAME = 'limits';
const DEFAULTS = { cpu: '500m', memory: '500Mi', 'ephemeral-storage': '500Gi' };
const DEFAULT_REQUESTS = { cpu: '100m', memory: '200Mi', 'ephemeral-storage': '200Gi' };
const ITEM: LimitRangeItem = {
  type: 'Container',
  min: { cpu: '50m', memory: '100Mi', 'ephemeral-storage': '100Gi' },
  max: DEFAULTS,
  default: DEFAULTS,
  defaultRequest: DEFAULT_REQUESTS,
};

export const LIMIT_RANGES: readonly Requirement[] = [
  requirement(
    '[sig-scheduling] LimitRange should create a LimitRange with defaults and ensure pod has those defaults applied.',
    'pods get the defaults of a LimitRange for what they do not say, and are refused out of its bounds, old and new ones',
    appliesDefaults,
  ),
];

async function appliesDefaults(lab: Lab): Promise<void> {
  const ranges = lab.of('LimitRange');
  const { spec } = await ranges.create({ metadata: { name: NAME }, spec: { limits: [ITEM] } });
  assert.deepEqual(spec?.limits, [ITEM]);
  await makesPods(lab);
  const [tooSmall, tooLarge] = [
    { cpu: '10m', memory: '50Mi' },
    { cpu: '600m', memory: '600Mi' },
  ];
  const isRefused = { code: 403, reason: 'Forbidden' };
  await refused(make(lab, 'small', { requests: tooSmall }), {
    ...isRefused,
    message: /minimum cpu usage per Container is 50m/,
  });
  await refused(make(lab, 'large', { limits: tooLarge }), {
    ...isRefused,
    message: /maximum cpu usage per Container is 500m/,
  });
  await ranges.change(NAME, (range) => {
    range.spec = { limits: [{ ...ITEM, min: { cpu: '9m', memory: '49Mi', 'ephemeral-storage': '49Gi' } }] };
  });
  await lab.eventually('the new bounds hold', () =>
    make(lab, 'small', { requests: tooSmall }).then(
      () => true,
      () => false,
    ),
  );
  await refused(make(lab, 'large', { limits: tooLarge }), isRefused);
  await ranges.delete(NAME);
  await absent(ranges.get(NAME));
  await lab.eventually('no bounds hold', () =>
    make(lab, 'large', { limits: tooLarge }).then(
      () => true,
      () => false,
    ),
  );
}

async function makesPods(lab: Lab): Promise<void> {
  // Who begins to look at a range late gives the defaults late.
  await lab.eventually('defaults are given', async () => {
    const made = await make(lab, 'silent', {});
    if (made.limits !== undefined) return made;
    await lab.of('Pod').delete('silent', { gracePeriodSeconds: 0 });
    return false;
  });
  const silent = (await lab.of('Pod').get('silent')).spec?.containers[0]?.resources;
  assert.deepEqual(silent, { limits: DEFAULTS, requests: DEFAULT_REQUESTS });
  const partial = await make(lab, 'partial', { requests: { cpu: '200m' }, limits: { memory: '300Mi' } });
  assert.deepEqual(partial.requests, { ...DEFAULT_REQUESTS, cpu: '200m', memory: '300Mi' });
  assert.deepEqual(partial.limits, { ...DEFAULTS, memory: '300Mi' });
}

type Resources = { readonly limits?: Record<string, string>; readonly requests?: Record<string, string> };

async function make(lab: Lab, name: string, resources: Resources): Promise<Resources> {
  const { containers, ...spec } = podSpec(lab);
  const bounded = containers.map((container) => ({ ...container, resources }));
  const made = await lab.of('Pod').create({ metadata: { name }, spec: { ...spec, containers: bounded } });
  return made.spec?.containers[0]?.resources ?? {};
}
