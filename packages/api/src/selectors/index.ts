export {
  checkFieldSelector,
  type FieldRequirement,
  type FieldSelector,
  fieldReader,
  formatFieldSelector,
  parseFieldSelector,
} from './field-selector.ts';
export {
  compileRequirements,
  everything,
  formatLabelSelector,
  type LabelOperator,
  type LabelRequirement,
  type LabelSelector,
  type LabelSelectorObject,
  type Labels,
  nothing,
  parseLabelSelector,
  selectorFromMap,
  selectorFromObject,
} from './label-selector.ts';
