/** `authorizer`: policies ask what the user of a request may do. */
import type { Environment } from '@marcbachmann/cel-js';
import type { Attributes, Authorizer, Decision, UserInfo } from '../../access.ts';
import type { Meter } from '../meter.ts';
import { addFunctions } from './functions.ts';

/** A question costs as much as Kubernetes takes for it. */
const QUESTION_COST = 350_000;

type Asked = Omit<NonNullable<Attributes['resource']>, 'version'>;

/** The value of the variable `authorizer`. */
export class CelAuthorizer {
  readonly authorizer: Authorizer;
  readonly user: UserInfo;
  /** What the request itself asks for; of use as `authorizer.requestResource`. */
  readonly asked: Asked | undefined;

  constructor(authorizer: Authorizer, user: UserInfo, asked?: Asked) {
    this.authorizer = authorizer;
    this.user = user;
    this.asked = asked;
  }

  get requestResource(): ResourceCheck {
    return new ResourceCheck(this, this.asked ?? { group: '', resource: '' });
  }
}

class PathCheck {
  readonly of: CelAuthorizer;
  readonly path: string;

  constructor(of: CelAuthorizer, path: string) {
    this.of = of;
    this.path = path;
  }
}

class GroupCheck {
  readonly of: CelAuthorizer;
  readonly group: string;

  constructor(of: CelAuthorizer, group: string) {
    this.of = of;
    this.group = group;
  }
}

class ResourceCheck {
  readonly of: CelAuthorizer;
  readonly asked: Asked;

  constructor(of: CelAuthorizer, asked: Asked) {
    this.of = of;
    this.asked = asked;
  }

  with(change: Partial<Asked>): ResourceCheck {
    return new ResourceCheck(this.of, { ...this.asked, ...change });
  }
}

class CelDecision {
  readonly decision: Decision;

  constructor(decision: Decision) {
    this.decision = decision;
  }
}

export const AUTHORIZER = 'kubernetes.authorization.Authorizer';
const PATH = 'kubernetes.authorization.PathCheck';
const GROUP = 'kubernetes.authorization.GroupCheck';
const RESOURCE = 'kubernetes.authorization.ResourceCheck';
const DECISION = 'kubernetes.authorization.Decision';

export function addAuthorizer(environment: Environment, meter: Meter): void {
  environment.registerType(RESOURCE, ResourceCheck);
  environment.registerType(AUTHORIZER, { ctor: CelAuthorizer, fields: { requestResource: RESOURCE } });
  environment.registerType(PATH, PathCheck);
  environment.registerType(GROUP, GroupCheck);
  environment.registerType(DECISION, CelDecision);
  const ask = ({ authorizer, user }: CelAuthorizer, what: Omit<Attributes, 'user'>) => {
    meter.spend(QUESTION_COST);
    return new CelDecision(authorizer.authorize({ user, ...what }));
  };
  addFunctions(environment, {
    [`${AUTHORIZER}.path(string): ${PATH}`]: (of: CelAuthorizer, path: string) => new PathCheck(of, path),
    [`${AUTHORIZER}.group(string): ${GROUP}`]: (of: CelAuthorizer, group: string) => new GroupCheck(of, group),
    [`${AUTHORIZER}.serviceAccount(string, string): ${AUTHORIZER}`]: asServiceAccount,
    [`${GROUP}.resource(string): ${RESOURCE}`]: ({ of, group }: GroupCheck, resource: string) =>
      new ResourceCheck(of, { group, resource }),
    [`${RESOURCE}.subresource(string): ${RESOURCE}`]: (check: ResourceCheck, subresource: string) =>
      check.with({ subresource }),
    [`${RESOURCE}.namespace(string): ${RESOURCE}`]: (check: ResourceCheck, namespace: string) =>
      check.with({ namespace }),
    [`${RESOURCE}.name(string): ${RESOURCE}`]: (check: ResourceCheck, name: string) => check.with({ name }),
    [`${RESOURCE}.fieldSelector(string): ${RESOURCE}`]: (check: ResourceCheck, fieldSelector: string) =>
      check.with({ fieldSelector }),
    // Labels decide nothing in RBAC.
    [`${RESOURCE}.labelSelector(string): ${RESOURCE}`]: (check: ResourceCheck) => check,
    [`${PATH}.check(string): ${DECISION}`]: ({ of, path }: PathCheck, verb: string) => ask(of, { verb, path }),
    [`${RESOURCE}.check(string): ${DECISION}`]: ({ of, asked }: ResourceCheck, verb: string) =>
      ask(of, { verb, path: '', resource: { version: '*', ...asked } }),
    [`${DECISION}.allowed(): bool`]: ({ decision }: CelDecision) => decision.allowed,
    [`${DECISION}.reason(): string`]: ({ decision }: CelDecision) => decision.reason ?? '',
    [`${DECISION}.errored(): bool`]: () => false,
    [`${DECISION}.error(): string`]: () => '',
  });
}

function asServiceAccount({ authorizer, asked }: CelAuthorizer, namespace: string, name: string): CelAuthorizer {
  const username = `system:serviceaccount:${namespace}:${name}`;
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'];
  return new CelAuthorizer(authorizer, { username, groups }, asked);
}
