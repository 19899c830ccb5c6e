/** KubeEdge's words. */
import type { KubeObject } from '@skerry/api';

export type Config = Readonly<Record<string, unknown>>;

/** Notes what could not be carried over, and why. */
export type Leave = (what: string, why: string) => void;

export interface KubeEdgeModel extends KubeObject {
  readonly spec?: {
    readonly properties?: readonly {
      readonly name: string;
      readonly description?: string;
      readonly type?: string;
      readonly accessMode?: string;
      readonly minimum?: string;
      readonly maximum?: string;
      readonly unit?: string;
    }[];
  };
}

export interface KubeEdgeDevice extends KubeObject {
  readonly spec?: {
    readonly deviceModelRef?: { readonly name?: string };
    readonly nodeName?: string;
    readonly protocol?: { readonly protocolName?: string; readonly configData?: Config };
    readonly methods?: readonly { readonly name?: string; readonly propertyNames?: readonly string[] }[];
    readonly properties?: readonly {
      readonly name: string;
      readonly desired?: { readonly value?: string };
      readonly collectCycle?: number;
      readonly reportCycle?: number;
      readonly reportToCloud?: boolean;
      readonly pushMethod?: object;
      readonly visitors?: { readonly protocolName?: string; readonly configData?: Config };
    }[];
  };
}

/** Names of our properties can stand in expressions. */
export function identifier(name: string, leave: Leave): string {
  const fitting = name.replace(/[^A-Za-z0-9_]/g, '_').replace(/^(?=\d)/, '_');
  if (fitting !== name) leave(`property ${name}`, `is called ${fitting} here`);
  return fitting;
}

const SCAN_CLASSES_MS = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000];

/** Cycles are milliseconds since KubeEdge 1.16, and were nanoseconds before: no cycle takes so many milliseconds, and none so few nanoseconds. */
const LEAST_NANOSECONDS = 1_000_000;

/** The slowest that is not slower than what was asked for. */
export function scanClassOf(cycle: number): string {
  const asked = cycle < LEAST_NANOSECONDS ? cycle : cycle / 1_000_000;
  const ms = SCAN_CLASSES_MS.findLast((each) => each <= asked) ?? 10;
  return ms < 1000 ? `${ms}ms` : `${ms / 1000}s`;
}

/** What is there under any of the names, whatever their case; each is then spoken for. */
export interface ConfigReader {
  readonly take: (...names: readonly string[]) => unknown;
  readonly rest: () => readonly string[];
}

export function reader(config: Config): ConfigReader {
  const open = new Map(Object.entries(config).map(([name, value]) => [name.toLowerCase(), { name, value }]));
  return {
    take: (...names) => {
      for (const name of names) {
        const found = open.get(name.toLowerCase());
        open.delete(name.toLowerCase());
        if (found !== undefined) return found.value;
      }
      return undefined;
    },
    rest: () => [...open.values()].map(({ name }) => name),
  };
}
