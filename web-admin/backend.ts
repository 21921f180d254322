/**
 * What the web admin and the command line need from the rest of nymote. `service/` implements it;
 * this folder only translates between it and HTTP.
 *
 * A backend says "no" by throwing a WebAdminError; anything else it throws is a bug and becomes a
 * bare 500.
 */

import type { ApplyBackend } from './apply-schema.ts';
import type { DraftsBackend } from './drafts-schema.ts';
import type { EnrolmentBackend } from './enrolment-schema.ts';
import type { ExchangeBackend } from './exchange-schema.ts';
import type { HistoryBackend } from './history-schema.ts';
import type { NamesBackend } from './names-schema.ts';
import type { ResolverBackend } from './resolver-schema.ts';
import type {
  AddedDevice,
  Anchor,
  Check,
  CommitView,
  DecisionView,
  Device,
  DiffView,
  IssuedToken,
  NewDevice,
  NewToken,
  Peer,
  QuestionView,
  RulesView,
  SignInLink,
  Status,
  TokenView,
  ZoneView,
} from './schema.ts';
import type { TogetherBackend } from './together-schema.ts';
import type { UpstreamsBackend } from './upstreams-schema.ts';

type Awaitable<T> = T | Promise<T>;

/** Why a backend refuses. `problem.ts` gives each its HTTP status. */
export type BackendProblem =
  | 'not-found'
  | 'conflict'
  | 'invalid'
  | 'denied'
  | 'read-only'
  | 'unavailable'
  | 'no-space';

/** A refusal. `message` is one sentence for people, without secrets. */
export class WebAdminError extends Error {
  override readonly name = 'WebAdminError';
  readonly code: BackendProblem;

  constructor(code: BackendProblem, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** Who made a change, for the commit: the command line, a browser, or the holder of a token. */
export type Author = {
  readonly via: 'cli' | 'web' | 'token';
  readonly name: string;
  /** The head that the author has seen: a change of what came after it is a 'conflict'. */
  readonly ifHead?: string;
};

/** Something that happened. `data` of head and status only says what to read again. */
export type LiveEvent =
  | { readonly topic: 'question'; readonly data: QuestionView }
  | { readonly topic: 'tunnel'; readonly data: Peer }
  | { readonly topic: 'head'; readonly data: { readonly head: string } }
  | { readonly topic: 'status'; readonly data: Readonly<Record<string, unknown>> };

/** A browser that is signed in. */
export type Session = {
  readonly name: string;
  readonly expiresAt: number;
};

export type LogQuery = {
  readonly limit: number;
  readonly before?: string;
  readonly path?: string;
  /** By id or name. */
  readonly device?: string;
  /** Text in the reason or in what is said of the change, whatever its case. */
  readonly grep?: string;
};

export type WhyQuery = {
  readonly name: string;
  readonly asker?: string;
  readonly verb?: string;
  readonly at?: number;
};

/** A file of the history in git's dumb HTTP layout. */
export type GitFile = { readonly body: Uint8Array<ArrayBuffer>; readonly type: string };

export type SignIn = {
  /** Turns a one-time code into the secret of a session; throws 'denied' otherwise. */
  redeem(code: string): Awaitable<Session & { readonly secret: string }>;
  /** The session of a cookie. `touch` starts its idle time again; live views do not touch. */
  check(secret: string, options: { readonly touch: boolean }): Awaitable<Session | undefined>;
  end(secret: string): Awaitable<void>;
  /** Makes a one-time link; only the command line may ask for one. */
  link(): Awaitable<SignInLink>;
};

export type Tokens = {
  list(): Awaitable<readonly TokenView[]>;
  issue(wanted: NewToken, author: Author): Awaitable<IssuedToken>;
  revoke(id: string, author: Author): Awaitable<void>;
  /** Compares in constant time; undefined for unknown and expired ones. */
  check(token: string): Awaitable<TokenView | undefined>;
};

export type Backend = {
  /** The store's head: the entity tag of everything that lives in the store. */
  head(): string;
  status(): Awaitable<Status>;
  devices(): Awaitable<readonly Device[]>;
  addDevice(wanted: NewDevice, author: Author): Awaitable<AddedDevice>;
  /** By id or by name. */
  removeDevice(device: string, author: Author): Awaitable<void>;
  /** New devices that wait to be confirmed. */
  readonly enrolments: EnrolmentBackend<Author>;
  /** The realm's own rules, and those that hold without any. */
  rules(): RulesView;
  /** Writes a rule, new or changed; 'invalid' names what is wrong with it. */
  setRule(id: string, rule: Readonly<Record<string, unknown>>, author: Author): Awaitable<void>;
  removeRule(id: string, author: Author): Awaitable<void>;
  zone(): Awaitable<ZoneView>;
  anchor(): Awaitable<Anchor>;
  why(query: WhyQuery): Awaitable<DecisionView>;
  /** Newest first. */
  log(query: LogQuery): Awaitable<readonly CommitView[]>;
  /** What changed between two commits; without `from`, what `to` itself changed. */
  diff(from: string | undefined, to: string): Awaitable<DiffView>;
  revert(commit: string, author: Author): Awaitable<CommitView>;
  /** The keys that signed the history, one line each as in ssh-keygen(1), ALLOWED SIGNERS. */
  allowedSigners(): string;
  /** The last questions, oldest first. */
  questions(): readonly QuestionView[];
  subscribe(listener: (event: LiveEvent) => void): () => void;
  doctor(): Awaitable<readonly Check[]>;
  /** A file of the git view, by its path inside the repository ('info/refs'). */
  git(path: string): Awaitable<GitFile | undefined>;
  /** A router's own configuration. */
  readonly apply: ApplyBackend<Author>;
  readonly resolver: ResolverBackend;
  /** How far back the history is kept, and ways back in it. */
  readonly history: HistoryBackend<Author>;
  /** Changes that are collected here before they are made. */
  readonly drafts: DraftsBackend<Author>;
  /** Devices that write at the same time. */
  readonly together: TogetherBackend<Author>;
  /** The records of the zone that are no devices. */
  readonly names: NamesBackend<Author>;
  /** How changes travel between devices. */
  readonly exchange: ExchangeBackend<Author>;
  /** Realms of others whose rules count here. */
  readonly upstreams: UpstreamsBackend<Author>;
  readonly signIn: SignIn;
  readonly tokens: Tokens;
};
