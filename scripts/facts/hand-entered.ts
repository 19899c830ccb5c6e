/** Facts that no Debian package holds: the API registration types of kube-aggregator, in the form of the extracted ones. */

export const HAND_ENTERED: Readonly<Record<string, readonly string[]>> = {
  'apiregistration.v1.APIService': [
    '~ meta.v1.TypeMeta -',
    'metadata meta.v1.ObjectMeta 1:bytes omitempty optional',
    'spec apiregistration.v1.APIServiceSpec 2:bytes omitempty',
    'status apiregistration.v1.APIServiceStatus 3:bytes omitempty',
  ],
  'apiregistration.v1.APIServiceCondition': [
    'type string 1:bytes',
    'status string 2:bytes',
    'lastTransitionTime meta.v1.Time 3:bytes omitempty optional',
    'reason string 4:bytes omitempty optional',
    'message string 5:bytes omitempty optional',
  ],
  'apiregistration.v1.APIServiceList': [
    '~ meta.v1.TypeMeta -',
    'metadata meta.v1.ListMeta 1:bytes omitempty optional',
    'items []apiregistration.v1.APIService 2:bytes',
  ],
  'apiregistration.v1.APIServiceSpec': [
    'service apiregistration.v1.ServiceReference 1:bytes pointer omitempty optional',
    'group string 2:bytes omitempty optional',
    'version string 3:bytes omitempty optional',
    'insecureSkipTLSVerify bool 4:varint omitempty optional',
    'caBundle []byte 5:bytes omitempty optional listType=atomic',
    'groupPriorityMinimum int32 7:varint',
    'versionPriority int32 8:varint',
  ],
  'apiregistration.v1.APIServiceStatus': [
    'conditions []apiregistration.v1.APIServiceCondition 1:bytes omitempty optional listType=map listMapKey=type patchMergeKey=type patchStrategy=merge',
  ],
  'apiregistration.v1.ServiceReference': [
    'namespace string 1:bytes omitempty optional',
    'name string 2:bytes omitempty optional',
    'port int32 3:varint pointer omitempty optional',
  ],
};
