/**
 * The realm's hub: beginning a realm there, and telling it who belongs to us. `realm/hub` names it, so
 * that one `nymote hub join` is enough for all devices.
 */

import { deviceId } from '#identity';
import {
  type Cancel,
  type Clock,
  type Crypto,
  type Http,
  type Log,
  RuntimeError,
  type Signer,
} from '#runtime';
import type { Store } from '#storage';
import { WebAdminError } from '#web-admin';
import { commitOrPropose } from '../faces/propose.ts';
import { signRequest } from '../peers/signed-request.ts';
import type { RealmDevice } from '../project.ts';
import { SYNC_PATH } from './serve.ts';

export type HubNeeds = {
  readonly crypto: Pick<Crypto, 'hash'>;
  readonly http: Pick<Http, 'fetch'>;
  readonly log: Log;
  readonly signer: Signer;
  readonly store: () => Store;
  readonly devices: () => readonly RealmDevice[];
  /** Whether this device is the one that does what one is enough for. */
  readonly isFirst: () => boolean;
};

const PATH = 'realm/hub';
const TIMEOUT_MS = 20_000;
const NOTHING = new Uint8Array(0);

/** Where the realm's hub is, if it has one. */
export function hubOf(store: Pick<Store, 'state'>): string | undefined {
  const url = store.state().get('realm')?.get('hub')?.['url'];
  return typeof url === 'string' ? url : undefined;
}

/** Begins the realm on a hub and has every device use it. Throws WebAdminError when it refuses. */
export async function joinHub(
  needs: HubNeeds,
  url: string,
  invite: string,
  via: string,
): Promise<void> {
  const asking = ask(needs, url, 'PUT', '', NOTHING, { invite });
  await mustAgree(asking, 'it does not take this invitation');
  await tellMembers(needs, url, new Map()).catch((error: unknown) => {
    const words = `The hub has your realm, but not all your devices yet (${reasonOf(error)})`;
    throw new WebAdminError('unavailable', `${words}: do the same again in a minute.`, error);
  });
  await write(needs, {
    ops: [{ op: 'set', path: PATH, value: { url } }],
    message: `Exchange through ${new URL(url).host}`,
    via,
  });
}

/** Devices use no hub any more; what it holds stays there, sealed, until its owner removes it. */
export async function leaveHub(needs: HubNeeds, via: string): Promise<void> {
  if (hubOf(needs.store()) === undefined) throw new WebAdminError('not-found', 'There is no hub.');
  const ops = [{ op: 'del', path: PATH }] as const;
  await write(needs, { ops, message: 'Use no hub any more', via });
}

function write(
  { crypto, signer, store }: HubNeeds,
  draft: Parameters<typeof commitOrPropose>[2],
): Promise<void> {
  return commitOrPropose(store(), deviceId(crypto, signer.publicKey), draft);
}

/** Lets everybody read the realm on its hub, or no longer. Throws WebAdminError when it refuses. */
export async function setPublic(needs: HubNeeds, isPublic: boolean): Promise<string> {
  const url = hubOf(needs.store());
  if (url === undefined) {
    throw new WebAdminError('conflict', 'This realm has no hub yet: nymote hub join.');
  }
  const body = new TextEncoder().encode(JSON.stringify({ public: isPublic }));
  await mustAgree(ask(needs, url, 'PUT', '/public', body), 'this device may not say so there');
  return url;
}

/** Says in words what a hub refused; `denied` is what 403 means here. */
async function mustAgree(asking: Promise<Response>, denied: string): Promise<void> {
  const { ok, status, body } = await asking.catch((error: unknown) => {
    const why = (error as Error).message;
    throw new WebAdminError('unavailable', `The hub cannot be reached: ${why}.`, error);
  });
  await body?.cancel();
  if (ok) return;
  const words = status === 403 ? denied : (PASSING[status] ?? LASTING[status]);
  const isPassing = status in PASSING;
  throw new WebAdminError(
    isPassing ? 'unavailable' : 'denied',
    `The hub refused: ${words ?? `it answered ${status}`}${isPassing ? '; try again in a minute' : ''}.`,
  );
}

const PASSING: Readonly<Record<number, string>> = {
  429: 'it was asked too often',
  502: 'the proxy before it cannot reach it',
  503: 'it is busy, or its database is away',
  504: 'the proxy before it cannot reach it',
};
const LASTING: Readonly<Record<number, string>> = {
  404: 'there is no hub at this address',
  405: 'there is no hub at this address',
  507: 'it has no room left',
};

/** Keeps the hub's list of members true until stopped; only one device does. */
export function tendHub(needs: HubNeeds): { stop(): void } {
  const { store, log } = needs;
  const told = new Map<string, string>();
  let knower: string | undefined;
  const tell = async (): Promise<void> => {
    const url = hubOf(store());
    // Another hub knows nothing of what the one before was told.
    if (url !== knower) told.clear();
    knower = url;
    await tellMembers(needs, url, told);
  };
  let running = Promise.resolve();
  const tend = (): void => {
    if (hubOf(store()) === undefined || !needs.isFirst()) return;
    running = running
      .then(tell)
      .catch((error: unknown) => log('warn', 'hub-not-told', { reason: reasonOf(error) }));
  };
  tend();
  return { stop: store().watch(tend) };
}

/** Hears from the hub at once when another device changed something, until stopped. */
export function watchHub(needs: HubNeeds, clock: Clock, moved: () => void): { stop(): void } {
  const stopping = new AbortController();
  const { signal } = stopping;

  async function listen(url: string): Promise<void> {
    const response = await ask(needs, url, 'GET', '/watch', NOTHING, { signal });
    if (!response.ok || response.body === null) throw new Error(`it answered ${response.status}`);
    const reader = response.body.getReader();
    const end = (): void => void reader.cancel().catch(() => undefined);
    // A connection that went dead without a word is given up, and so is a hub for another one.
    let cancel: Cancel = () => undefined;
    const expect = (): void => {
      cancel();
      cancel = clock.after(SILENCE_MS, end);
    };
    const endIfLeft = (): void => {
      if (hubOf(needs.store()) !== url) end();
    };
    const unwatch = needs.store().watch(endIfLeft);
    try {
      expect();
      endIfLeft();
      for (let step = await reader.read(); !step.done; step = await reader.read()) {
        expect();
        // Events are short and come one at a time; one more exchange than needed does no harm.
        if (new TextDecoder().decode(step.value).includes('event: moved')) moved();
      }
    } finally {
      cancel();
      unwatch();
    }
  }

  async function run(): Promise<void> {
    for (let pause = FIRST_PAUSE_MS; !signal.aborted; ) {
      const url = hubOf(needs.store());
      const began = clock.monotonic();
      if (url !== undefined) await listen(url).catch(() => undefined);
      const held = clock.monotonic() - began > SILENCE_MS;
      pause = held || url === undefined ? FIRST_PAUSE_MS : Math.min(pause * 2, MAX_PAUSE_MS);
      await clock.sleep(pause, signal).catch(() => undefined);
    }
  }
  void run();
  return { stop: () => stopping.abort() };
}

/** The hub says something every 25 seconds. */
const SILENCE_MS = 60_000;
const FIRST_PAUSE_MS = 5_000;
const MAX_PAUSE_MS = 600_000;

/** `told` is what it was told before, by device; brought up to date. */
async function tellMembers(
  needs: HubNeeds,
  url: string | undefined,
  told: Map<string, string>,
): Promise<void> {
  if (url === undefined) return;
  const members = needs.devices().filter(({ kind }) => kind !== 'plain');
  for (const { id, signingKey, role, writer } of members) {
    if (signingKey === undefined) continue;
    const mayAdmit = role === 'owner' || writer === true;
    const wish = JSON.stringify({ key: signingKey, mayAdmit });
    if (told.get(id) === wish) continue;
    const body = new TextEncoder().encode(wish);
    await expectOk(await ask(needs, url, 'PUT', `/members/${id}`, body));
    told.set(id, wish);
  }
  const gone = [...told.keys()].filter((id) => !members.some((member) => member.id === id));
  for (const id of [...gone, ...revokedIn(needs.store())].filter((id) => told.get(id) !== GONE)) {
    await expectOk(await ask(needs, url, 'DELETE', `/members/${id}`, NOTHING));
    told.set(id, GONE);
  }
}

const GONE = 'gone';

/** Devices that wrote once and are none any more, as after a restart nobody remembers telling. */
function revokedIn(store: Store): readonly string[] {
  const devices = store.state().get('devices');
  const recovery = store.state().get('realm')?.get('recovery')?.['id'];
  return Object.keys(store.vector()).filter((id) => id !== recovery && !devices?.has(id));
}

/** Without the hub's address. */
const reasonOf = (error: unknown): string =>
  error instanceof RuntimeError ? error.code : (error as Error).message;

async function expectOk(response: Response): Promise<void> {
  await response.body?.cancel();
  if (!response.ok) throw new Error(`the hub answered ${response.status}`);
}

async function ask(
  { crypto, http, signer, store }: HubNeeds,
  base: string,
  method: string,
  path: string,
  body: Uint8Array,
  { invite, signal }: { readonly invite?: string; readonly signal?: AbortSignal } = {},
): Promise<Response> {
  const url = new URL(
    `${SYNC_PATH.slice(1)}${store().realm}${path}`,
    `${base.replace(/\/$/, '')}/`,
  );
  const request = await signRequest(crypto, signer, { method, url: url.href, body });
  if (invite !== undefined) request.headers.set('nymote-invite', invite);
  const sent = signal === undefined ? request : new Request(request, { signal });
  return http.fetch(sent, { timeoutMs: TIMEOUT_MS });
}
