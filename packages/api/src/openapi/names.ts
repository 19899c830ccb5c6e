/** The names that Kubernetes' OpenAPI documents give to types, and where they are referred to. */
import { formatApiVersion, type GroupVersion, type Gvk } from '../names.ts';

/** Go packages that are not below `k8s.io/api`. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'meta.v1': 'io.k8s.apimachinery.pkg.apis.meta.v1',
  'apiextensions.v1': 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1',
  'apiregistration.v1': 'io.k8s.kube-aggregator.pkg.apis.apiregistration.v1',
};

/** `core.v1.Pod` is `io.k8s.api.core.v1.Pod`. */
export function modelName(typeName: string): string {
  const dot = typeName.lastIndexOf('.');
  const pkg = typeName.slice(0, dot);
  return `${ELSEWHERE[pkg] ?? `io.k8s.api.${pkg}`}${typeName.slice(dot)}`;
}

/** Custom kinds carry their group backwards: `com.example.stable.v1.CronTab`. */
export function customModelName({ group, version, kind }: Gvk): string {
  return `${group.split('.').reverse().join('.')}.${version}.${kind}`;
}

/** `/api/v1` or `/apis/apps/v1`. */
export function rootPath(groupVersion: GroupVersion): string {
  return groupVersion.group === '' ? `/api/${groupVersion.version}` : `/apis/${formatApiVersion(groupVersion)}`;
}
