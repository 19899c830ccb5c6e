export { drawnResource, podRelations } from './relations.ts';
export { builtinRows, subresourceKind } from './rows.ts';
export { schemaFor, schemaOfType, typeNameOf } from './schema-for.ts';
