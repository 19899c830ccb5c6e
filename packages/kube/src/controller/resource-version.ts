/**
 * Compares two resource versions of one resource (Kubernetes declares them comparable decimals since 1.35):
 * negative, zero or positive; undefined when one of them is not a number, so that nothing can be said.
 */
export function compareResourceVersions(left: string, right: string): number | undefined {
  if (!isDecimal(left) || !isDecimal(right)) return undefined;
  if (left.length !== right.length) return left.length - right.length;
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function isDecimal(version: string): boolean {
  return /^(0|[1-9][0-9]*)$/.test(version);
}
