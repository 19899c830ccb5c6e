/** Paths as Kubernetes prints them, `spec.containers[0].name`, built only when there is something to say. */

/** A step is a field or, in an array, an index; the last step is the nearest. */
export interface Path {
  readonly parent: Path | undefined;
  readonly step: string | number;
  /** A key of a free map stands in brackets: `metadata.labels[app]`. */
  readonly isMapKey?: boolean;
}

export function formatPath(path: Path | undefined): string {
  const steps: string[] = [];
  for (let at = path; at !== undefined; at = at.parent) {
    const isBracketed = typeof at.step === 'number' || at.isMapKey === true;
    steps.push(isBracketed ? `[${at.step}]` : at.parent === undefined ? String(at.step) : `.${at.step}`);
  }
  return steps.reverse().join('');
}
