/**
 * What the page knows: the session, the resources read from the API, and the live events that tell
 * when to read them again.
 */

import { type Signal, signal } from '@preact/signals';
import type { ApplyView } from '../apply-schema.ts';
import type { NamesView } from '../names-schema.ts';
import type { CommitView, Device, LogPage, QuestionView, Status } from '../schema.ts';
import type { ConflictsView, LateView, ProposalsView } from '../together-schema.ts';
import { ApiProblem, call } from './api.ts';

/** Something read from the API. After a failure the last value stays, so the page does not jump. */
export type Resource<T> = {
  readonly value: Signal<T | undefined>;
  readonly failure: Signal<ApiProblem | undefined>;
  /** The entity tag that came with the value. */
  etag(): string | undefined;
  /** Whether somebody has asked for it. */
  isWanted(): boolean;
  load(options?: { readonly isBackground: boolean }): Promise<void>;
};

export type SessionState = 'unknown' | 'in' | 'out';

export const session = signal<SessionState>('unknown');
/** Why signing in did not work. */
export const signInFailure = signal<string | undefined>(undefined);
/** Whether live events arrive. */
export const isLive = signal(false);

export const status = resource<Status, Status>('/status', (body) => body);
export const devices = resource<{ devices: readonly Device[] }, readonly Device[]>(
  '/devices',
  (body) => body.devices,
);
/** Which changes are looked for; empty: all. */
export const historyFilter = signal({ device: '', grep: '' });
export const history = resource<LogPage, LogPage>(
  () => `/log?${historyQuery()}`,
  (body) => body,
);
export const names = resource<NamesView, NamesView>('/names', (body) => body);

/** What several devices wrote; read only when the status says that there is something. */
export const conflicts = resource<ConflictsView, ConflictsView>('/conflicts', (body) => body);
export const late = resource<LateView, LateView>('/late', (body) => body);
export const proposals = resource<ProposalsView, ProposalsView>('/proposals', (body) => body);

/** What is applied on routers, and what is on trial. */
export const applying = resource<ApplyView, ApplyView>('/apply', (body) => body);

/** Called for each question as it happens. */
export const questionListeners = new Set<(question: QuestionView) => void>();

/** Redeems the code of a one-time link, or finds out whether a session is there. */
export async function start(): Promise<void> {
  const code = location.hash.slice(1);
  if (location.pathname === '/sign-in') {
    // Out of the address bar and the history at once; it works only one time anyway.
    window.history.replaceState(null, '', '/');
    try {
      await call('POST', '/session', { body: { code } });
    } catch (thrown) {
      signInFailure.value = thrown instanceof ApiProblem ? thrown.message : String(thrown);
      session.value = 'out';
      return;
    }
  }
  await status.load();
  if (session.value !== 'out') {
    session.value = 'in';
    listen();
    await applying.load({ isBackground: true });
  }
}

/** Ends the session here and on the server. */
export async function signOut(): Promise<void> {
  await call('DELETE', '/session');
  session.value = 'out';
  hangUp();
}

/** The next page of the history, appended to what is there. */
export async function loadMoreHistory(): Promise<void> {
  const page = history.value.value;
  if (page?.next === undefined) return;
  const query = historyQuery();
  query.set('before', page.next);
  const { value } = await call<LogPage>('GET', `/log?${query}`);
  const commits: readonly CommitView[] = [...page.commits, ...value.commits];
  history.value.value = value.next === undefined ? { commits } : { commits, next: value.next };
}

function historyQuery(): URLSearchParams {
  const query = new URLSearchParams({ limit: '30' });
  for (const [key, value] of Object.entries(historyFilter.value)) {
    if (value !== '') query.set(key, value);
  }
  return query;
}

function resource<Body, T>(path: string | (() => string), read: (body: Body) => T): Resource<T> {
  const value = signal<T | undefined>(undefined);
  const failure = signal<ApiProblem | undefined>(undefined);
  let etag: string | undefined;
  let asked = 0;
  let shown = 0;
  const placeNow = typeof path === 'string' ? () => path : path;
  return {
    value,
    failure,
    etag: () => etag,
    isWanted: () => asked > 0,
    async load(options = { isBackground: false }) {
      const number = ++asked;
      const place = placeNow();
      // Answers overtake each other, and what was asked for meanwhile is on its way itself.
      const isLate = (): boolean => number < shown || placeNow() !== place;
      try {
        const reply = await call<Body>('GET', place, options);
        if (isLate()) return;
        shown = number;
        etag = reply.etag;
        value.value = read(reply.value);
        failure.value = undefined;
      } catch (thrown) {
        if (!(thrown instanceof ApiProblem)) throw thrown;
        if (thrown.code === 'signed-out') session.value = 'out';
        if (!isLate()) failure.value = thrown;
      }
    },
  };
}

/** Long enough not to hammer a router that is starting, short enough to feel alive. */
const RECONNECT_MS = 4_000;
/** Changes come in bursts; one reading shows them all. */
const REFRESH_MS = 300;

let source: EventSource | undefined;
let isRefreshing = false;

// A page that nobody sees holds no connection: there are few, and a phone's battery is small.
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') void comeBack();
  else hangUp();
});

function listen(): void {
  hangUp();
  source = new EventSource('/api/v1/events');
  const opened = source;
  opened.addEventListener('open', () => {
    isLive.value = true;
    // What happened since everything was read was told to nobody.
    refreshSoon();
  });
  opened.addEventListener('error', () => {
    isLive.value = false;
    // The browser itself comes back after a lost connection, but not after a refusal.
    if (opened.readyState === EventSource.CLOSED) setTimeout(comeBack, RECONNECT_MS);
  });
  opened.addEventListener('question', ({ data }: MessageEvent<string>) => {
    const question = JSON.parse(data) as QuestionView;
    for (const listener of questionListeners) listener(question);
  });
  for (const topic of ['head', 'tunnel', 'status', 'gap']) {
    opened.addEventListener(topic, refreshSoon);
  }
}

function hangUp(): void {
  source?.close();
  source = undefined;
  isLive.value = false;
}

async function comeBack(): Promise<void> {
  if (session.value !== 'in' || source?.readyState === EventSource.OPEN) return;
  await status.load({ isBackground: true });
  if (session.value !== 'in' || document.visibilityState !== 'visible') return;
  listen();
}

function refreshSoon(): void {
  if (isRefreshing) return;
  isRefreshing = true;
  setTimeout(() => {
    isRefreshing = false;
    for (const each of [status, devices, history, applying, names, conflicts, late, proposals]) {
      if (each.isWanted()) void each.load({ isBackground: true });
    }
  }, REFRESH_MS);
}
