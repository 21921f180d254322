/** The door of policy/: one engine that decides names, connections, store paths and sign-in. */

export {
  type Asker,
  createPolicy,
  type Decision,
  type Policy,
  type PolicyInput,
} from './decide.ts';
export { DEFAULT_RULES } from './defaults.ts';
export { explain } from './explain.ts';
export { parseRule, type Rule } from './rule.ts';
export { upstreamRules } from './upstream.ts';
export { zoneOf } from './zone.ts';
