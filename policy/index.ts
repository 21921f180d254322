/** The door of policy/: one engine that decides names, connections, store paths and sign-in. */

export {
  type Asker,
  createPolicy,
  type Decision,
  type DecisionRequest,
  type Policy,
  type PolicyInput,
  type RuleOutcome,
} from './decide.ts';
export { DEFAULT_RULES } from './defaults.ts';
export { explain, type Reason } from './explain.ts';
export type { Groups, PolicyDevice } from './key.ts';
export {
  type Conditions,
  type Effect,
  type ParsedRule,
  parseRule,
  type Rule,
  type RuleProblem,
  type Selection,
  type Strength,
  type Tier,
  type Verb,
} from './rule.ts';
export type { Schedule, Weekday, Window } from './schedule.ts';
export { zoneOf } from './zone.ts';
