export { decodeError } from './decode-error.ts';
export { applyDefaults } from './defaults.ts';
export { strictDecodingError, strictDecodingIssues } from './errors.ts';
export { type JsonLimits, MAX_JSON_DEPTH, type ParsedJson, parseJson } from './json.ts';
export { normalize } from './normalize.ts';
export { type Decoded, decodeProtobuf, isProtobuf } from './protobuf/decode.ts';
export { encodeProtobuf } from './protobuf/encode.ts';
export { prune, unknownFields } from './unknown-fields.ts';
export { validate, validateAt } from './validate.ts';
