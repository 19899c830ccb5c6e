export { drawnResource, podRelations } from './relations.ts';
export { builtinRows } from './rows.ts';
export { schemaFor, schemaOfType, typeNameOf } from './schema-for.ts';
export { subresourceKind } from './subresource-kinds.ts';
