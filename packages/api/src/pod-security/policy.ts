/** What the labels of a namespace demand of its pods. */
import type { ObjectMeta } from '../object.ts';
import type { FieldError } from '../schema.ts';
import { invalid } from '../walker/field-errors.ts';

/** From the loosest to the strictest. */
export const LEVELS = ['privileged', 'baseline', 'restricted'] as const;

export type Level = (typeof LEVELS)[number];

export interface Standard {
  readonly level: Level;
  /** The minor version of Kubernetes whose rules hold; absent means the latest. */
  readonly minor?: number;
}

export const MODES = ['enforce', 'audit', 'warn'] as const;

export type Mode = (typeof MODES)[number];

export type PodSecurityPolicy = Readonly<Record<Mode, Standard>>;

export const LABEL_PREFIX = 'pod-security.kubernetes.io/';

const VERSION = /^v1\.(0|[1-9]\d{0,4})$/;

/** What cannot be read counts as the strictest when pods are refused by it, and as nothing otherwise. */
export function policyOf({ labels = {} }: ObjectMeta): PodSecurityPolicy {
  const standard = (mode: Mode): Standard => {
    const level = labels[`${LABEL_PREFIX}${mode}`] ?? 'privileged';
    const version = labels[`${LABEL_PREFIX}${mode}-version`] ?? 'latest';
    const fallback = mode === 'enforce' ? 'restricted' : 'privileged';
    const match = VERSION.exec(version);
    return { level: isLevel(level) ? level : fallback, ...(match === null ? {} : { minor: Number(match[1]) }) };
  };
  return { enforce: standard('enforce'), audit: standard('audit'), warn: standard('warn') };
}

/** `restricted:latest`, `baseline:v1.30`. */
export function formatStandard({ level, minor }: Standard): string {
  return `${level}:${minor === undefined ? 'latest' : `v1.${minor}`}`;
}

export function isStricter(standard: Standard, than: Standard): boolean {
  return LEVELS.indexOf(standard.level) > LEVELS.indexOf(than.level);
}

/** What is wrong with the labels. */
export function policyFaults({ labels = {} }: ObjectMeta): FieldError[] {
  return MODES.flatMap((mode) => {
    const [levelLabel, versionLabel] = [`${LABEL_PREFIX}${mode}`, `${LABEL_PREFIX}${mode}-version`];
    const [level, version] = [labels[levelLabel], labels[versionLabel]];
    return [
      ...(level === undefined || isLevel(level)
        ? []
        : [invalid(`metadata.labels[${levelLabel}]`, level, `must be one of ${LEVELS.join(', ')}`)]),
      ...(version === undefined || version === 'latest' || VERSION.test(version)
        ? []
        : [invalid(`metadata.labels[${versionLabel}]`, version, 'must be "latest" or "v1.x"')]),
    ];
  });
}

function isLevel(text: string): text is Level {
  return (LEVELS as readonly string[]).includes(text);
}
