/** The web admin's door: an app over a backend that `service/` gives it. */

export { type App, type AppOptions, createApp } from './app.ts';
export { type Asset, type Assets, parseAssets } from './assets.ts';
export {
  type Author,
  type Backend,
  type BackendProblem,
  type GitFile,
  type LiveEvent,
  type LogQuery,
  type Session,
  type SignIn,
  type Tokens,
  WebAdminError,
  type WhyQuery,
} from './backend.ts';
export type {
  AddedDevice,
  Anchor,
  Check,
  CommitView,
  DecisionView,
  Device,
  DiffView,
  IssuedToken,
  LogPage,
  NewDevice,
  NewToken,
  Peer,
  QuestionView,
  SignInLink,
  Status,
  TokenView,
  ZoneView,
} from './schema.ts';
