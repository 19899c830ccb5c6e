/** Kinds that people seldom list. */
import { at, type JsonObject, objectAt, objectsAt, textAt } from '../json.ts';
import { formatQuantity, parseQuantity, type Quantity } from '../quantity.ts';
import {
  AGE,
  column,
  containerImages,
  containerNames,
  integer,
  labelsText,
  NAME,
  number,
  type Printer,
  printer,
  size,
  text,
} from './printer.ts';

/** Used up together by the containers of a pod, or by a node. */
const USAGE = [column('CPU', usageSum('cpu')), column('Memory', usageSum('memory')), column('Window', text('window'))];

export const rarePrinters: Readonly<Record<string, Printer>> = {
  '/PodTemplate': printer(
    NAME,
    containerNames('template.spec'),
    containerImages('template.spec'),
    column('Pod Labels', labelsText('template.metadata.labels')),
  ),
  '/ComponentStatus': printer(
    NAME,
    column('Status', (component) => (healthyCondition(component)['status'] === 'True' ? 'Healthy' : 'Unhealthy')),
    column('Message', (component) => textAt(healthyCondition(component), 'message')),
    column('Error', (component) => textAt(healthyCondition(component), 'error')),
  ),
  'metrics.k8s.io/NodeMetrics': printer(NAME, ...USAGE),
  'metrics.k8s.io/PodMetrics': printer(NAME, ...USAGE),
  'storage.k8s.io/CSINode': printer(NAME, integer('Drivers', size('spec.drivers')), AGE),
  'storage.k8s.io/CSIDriver': printer(
    NAME,
    column('AttachRequired', flag('spec.attachRequired'), 'boolean'),
    column('PodInfoOnMount', flag('spec.podInfoOnMount'), 'boolean'),
    column('StorageCapacity', flag('spec.storageCapacity'), 'boolean'),
    column(
      'TokenRequests',
      (driver) =>
        objectsAt(driver, 'spec', 'tokenRequests')
          .map((request) => textAt(request, 'audience'))
          .join(',') || '<unset>',
    ),
    column('RequiresRepublish', flag('spec.requiresRepublish'), 'boolean'),
    column('Modes', listText('spec.volumeLifecycleModes')),
    AGE,
  ),
  'storage.k8s.io/VolumeAttachment': printer(
    NAME,
    column('Attacher', text('spec.attacher')),
    column('PV', text('spec.source.persistentVolumeName')),
    column('Node', text('spec.nodeName')),
    column('Attached', flag('status.attached'), 'boolean'),
    AGE,
  ),
  'storage.k8s.io/VolumeAttributesClass': printer(NAME, column('DriverName', text('driverName')), AGE),
  'networking.k8s.io/ServiceCIDR': printer(NAME, column('CIDRs', listText('spec.cidrs')), AGE),
  'networking.k8s.io/IPAddress': printer(NAME, column('ParentRef', parentReference), AGE),
  'admissionregistration.k8s.io/ValidatingAdmissionPolicy': printer(
    NAME,
    integer('Validations', size('spec.validations')),
    column('ParamKind', (policy) => {
      const kind = textAt(policy, 'spec', 'paramKind', 'kind');
      return kind === '' ? '<unset>' : `${textAt(policy, 'spec', 'paramKind', 'apiVersion')}/${kind}`;
    }),
    AGE,
  ),
  'admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding': printer(
    NAME,
    column('PolicyName', text('spec.policyName')),
    column('ParamRef', (binding) => textAt(binding, 'spec', 'paramRef', 'name') || '<unset>'),
    AGE,
  ),
  'flowcontrol.apiserver.k8s.io/FlowSchema': printer(
    NAME,
    column('PriorityLevel', text('spec.priorityLevelConfiguration.name')),
    integer('MatchingPrecedence', number('spec.matchingPrecedence')),
    column('DistinguisherMethod', text('spec.distinguisherMethod.type', '<none>')),
    AGE,
  ),
  'flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration': printer(
    NAME,
    column('Type', text('spec.type')),
    column('NominalConcurrencyShares', text('spec.limited.nominalConcurrencyShares', '<none>')),
    AGE,
  ),
};

function usageSum(resource: string): (metrics: JsonObject) => string {
  return (metrics) => {
    const users = [metrics, ...objectsAt(metrics, 'containers')];
    const used = users.map((user) => parseQuantity(textAt(user, 'usage', resource))).filter(isQuantity);
    return formatQuantity({
      nano: used.reduce((sum, { nano }) => sum + nano, 0n),
      format: used[0]?.format ?? 'DecimalSI',
    });
  };
}

function isQuantity(quantity: Quantity | undefined): quantity is Quantity {
  return quantity !== undefined;
}

function flag(path: string): (object: JsonObject) => boolean {
  return (object) => at(object, ...path.split('.')) === true;
}

function listText(path: string): (object: JsonObject) => string {
  return (object) => {
    const list = at(object, ...path.split('.'));
    return Array.isArray(list) ? list.join(',') : '';
  };
}

function healthyCondition(component: JsonObject): JsonObject {
  return objectsAt(component, 'conditions').find((condition) => condition['type'] === 'Healthy') ?? {};
}

function parentReference(address: JsonObject): string {
  const { resource, namespace, name } = objectAt(address, 'spec', 'parentRef');
  return [resource, namespace, name].filter((part) => typeof part === 'string' && part !== '').join('/');
}
