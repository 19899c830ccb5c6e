export {
  type Amounts,
  amountsIn,
  describeAmounts,
  formatAmounts,
  minus,
  NONE,
  only,
  plus,
  things,
  total,
} from './amounts.ts';
export { exceeds, uncountable } from './check.ts';
export { podLimits, podRequests } from './pod-amounts.ts';
export { isInScope, isScoped } from './scopes.ts';
export { type CountedKind, countedNames, countName, isOnlyCounted, quotaUsage } from './usage.ts';
export { Usages } from './usages.ts';
