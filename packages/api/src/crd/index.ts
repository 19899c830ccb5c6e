export {
  type CustomResource,
  customResources,
  EDGE_WRITABLE_ANNOTATION,
  NODE_PATH_ANNOTATION,
  ORIGIN_ANNOTATION,
  RELATIONS_ANNOTATION,
  schemaOfVersion,
} from './custom-resources.ts';
export type { CustomRules } from './custom-rules.ts';
export { applyDefinitionDefaults, conflictingStatus, establishedStatus } from './defaults.ts';
export { customResourceSchema, structuralSchema } from './structural-schema.ts';
export { definitionWarnings, validateDefinition, validateDefinitionUpdate } from './validate-definition.ts';
export { validateStructuralSchema } from './validate-schema.ts';
