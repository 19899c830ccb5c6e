/** What the `skerry rule` and `skerry series` commands are made of. */
export { severityOf } from '../contract/index.ts';
export { type RuleSurroundings, surroundingsOf } from '../engine/rule/catalog.ts';
export { explainRule, explainText } from '../engine/rule/explain-rule.ts';
export { describeStubs } from '../engine/rule/function-stubs.ts';
export { openFunctions } from '../engine/rule/javascript.ts';
export { type PreparedRule, prepareRule, RuleProblem } from '../engine/rule/prepare.ts';
export { plain, type Replay, replay } from '../engine/rule/run-test.ts';
export type { RuleNodeStatus, TestTable } from '../kinds/rule.ts';
export { runTrial, type Trial, tableRowsOf } from '../trial/trial.ts';
export { merged, type Recording, recordedTable } from './recorded-rows.ts';
export { isSelector, seriesName } from './series-text.ts';
