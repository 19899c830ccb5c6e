export {
  type ApiGroup,
  type ApiResource,
  type ApiResourceList,
  aggregatedDiscovery,
  apiGroupDocument,
  apiGroupList,
  apiResourceList,
  apiVersions,
  compareVersions,
} from './discovery.ts';
export { hashOf, type OpenApiV2, type OpenApiV3, openApiV2, openApiV3, type SchemaFor } from './documents.ts';
