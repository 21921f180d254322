/** The web admin's door: an app over a backend that `service/` gives it. */

export { createApp } from './app.ts';
export type {
  ApplyBackend,
  ApplyView,
  DriftView,
  NewOption,
  OptionsView,
  ProvenanceView,
} from './apply-schema.ts';
export { type Assets, parseAssets } from './assets.ts';
export {
  type Author,
  type Backend,
  type BackendProblem,
  type LiveEvent,
  WebAdminError,
  type WhyQuery,
} from './backend.ts';
export type { DraftsBackend, DraftsView, DraftView } from './drafts-schema.ts';
export type { ExchangeBackend, ExchangeView } from './exchange-schema.ts';
export type { HistoryBackend, KeptView, PrunedView } from './history-schema.ts';
export type { NamesBackend, NamesView, NewRecord } from './names-schema.ts';
export type { ExplainQuery, ExplanationView, ResolverBackend } from './resolver-schema.ts';
export type {
  AddedDevice,
  Anchor,
  Check,
  CommitView,
  DecisionView,
  Device,
  DiffView,
  NewDevice,
  Peer,
  QuestionView,
  RulesView,
  SignInLink,
  Status,
  TokenView,
  ZoneView,
} from './schema.ts';
export type {
  ConflictsView,
  LateDecided,
  LateView,
  ProposalsView,
  TogetherBackend,
} from './together-schema.ts';
export type { UpstreamsBackend, UpstreamsView } from './upstreams-schema.ts';
