/** Asks the authorizer, in the words of RBAC, and refuses in the words of Kubernetes. */
import { type Attributes, type Authorizer, StatusError } from '@skerry/api';
import { parseFieldSelector } from '@skerry/api/selectors';
import type { ApiRequest } from './contract.ts';
import type { ResourceRoute, Route } from './route.ts';
import { forbidden } from './statuses.ts';

/** Throws 403 when the user may not do what the route asks. */
export function authorize(authorizer: Authorizer, request: ApiRequest, route: Route): void {
  const attributes = attributesOf(request, route);
  const { allowed, reason } = authorizer.authorize(attributes);
  if (!allowed) throw refusal(attributes, reason);
}

function attributesOf({ user, path, query }: ApiRequest, route: Route): Attributes {
  if (route.type === 'path') return { user, verb: route.verb, path };
  const { group, version, resource, subresource, namespace, verb } = route;
  const fieldSelector = query.get('fieldSelector') ?? '';
  const name = route.name ?? selectedName(route, fieldSelector);
  return {
    user,
    verb,
    path,
    resource: {
      group,
      version,
      resource,
      ...(subresource === undefined ? {} : { subresource }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(name === undefined ? {} : { name }),
      ...(fieldSelector === '' ? {} : { fieldSelector }),
    },
  };
}

/** A list that selects one name is judged as if the path named it. */
function selectedName({ verb }: ResourceRoute, fieldSelector: string): string | undefined {
  if (fieldSelector === '' || !['list', 'watch', 'deletecollection'].includes(verb)) return undefined;
  try {
    return parseFieldSelector(fieldSelector).exact('metadata.name');
  } catch {
    return undefined;
  }
}

function refusal({ user, verb, path, resource }: Attributes, reason: string | undefined): StatusError {
  const why = reason === undefined || reason === '' ? '' : `: ${reason}`;
  if (resource === undefined) {
    const message = `forbidden: User "${user.username}" cannot ${verb} path "${path}"${why}`;
    return new StatusError(403, 'Forbidden', message, {});
  }
  const { group, resource: plural, subresource, namespace, name } = resource;
  const what = subresource === undefined ? plural : `${plural}/${subresource}`;
  const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  const text = `User "${user.username}" cannot ${verb} resource "${what}" in API group "${group}" ${where}${why}`;
  return forbidden({ group, resource: plural }, name ?? '', text);
}
