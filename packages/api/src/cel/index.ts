export { celRules } from './rules/cel-rules.ts';
