/**
 * A new full node, by a one-time code: the realm's side. The new device's is in join.ts, the messages
 * in enrol-messages.ts.
 *
 *     invite ──► request ──► comparing ──confirm──► admitted: one commit
 *                   │            ├──reject, abort──► refused
 *                   │            └──15 minutes─────► forgotten
 *                   └──both sides say auto────────► admitted
 *
 * The keys are sealed once more, for the new device's own key: whoever learns the code later cannot
 * open them (I2). Nothing of this outlives the process.
 */

import * as v from 'valibot';
import {
  type Codes,
  commitTo,
  createCodes,
  deviceId,
  ENROLMENT,
  openEnrolment,
  pollHandle,
} from '#identity';
import type { Runtime } from '#runtime';
import { nextRank, StorageError } from '#storage';
import { WebAdminError } from '#web-admin';
import { decodeBase64, encodeBase64 } from '../base64.ts';
import type { Current } from '../current.ts';
import { commitDevice } from '../faces/devices.ts';
import { encodeZoneKeys, type Realm } from '../realm.ts';
import { createSerially, type Serially } from '../serially.ts';
import { readRealmKeys, shareKeys } from '../sync/keys.ts';
import { readLimited } from '../sync/limited.ts';
import {
  type Admission,
  type Comparing,
  codeOf,
  ENROL_PATH,
  type EnrolRequest,
  PollSchema,
  RequestSchema,
  SECRETS,
} from './enrol-messages.ts';
import { createSealing } from './sealed.ts';

/** What a new device may do: all, what concerns itself, or what it is granted. */
export type NewRole = 'owner' | 'device' | 'guest';

/** What a code is for. */
export type Invitation = {
  readonly name: string;
  readonly role: NewRole;
  /** Nobody is asked to compare. */
  readonly isAuto: boolean;
};

/** A new device that waits for somebody to compare. */
export type WaitingDevice = {
  readonly name: string;
  readonly role: NewRole;
  /** Six digits, once the device has shown what they are made of. */
  readonly code: string | undefined;
  readonly expiresAt: number;
};

export type Enrolment = {
  readonly invite: (wanted: Invitation) => { readonly code: string; readonly expiresAt: number };
  /** Answers a new device. */
  readonly answer: (request: Request, from: string) => Promise<Response>;
  readonly waiting: () => readonly WaitingDevice[];
  /** Somebody compared `code` with what the device shows. Throws WebAdminError when it does not fit. */
  readonly confirm: (name: string, code: string, via: string) => Promise<void>;
  readonly reject: (name: string) => void;
};

const CODE_SECONDS = 900;
const MAX_REQUEST_BYTES = 16_384;
/** Devices that wait at a time. */
const MAX_WAITING = 8;
const NONCE_BYTES = 32;

type Opened = Extract<ReturnType<typeof openEnrolment<Invitation>>, { ok: true }>;

type Guest = {
  readonly opened: Opened;
  readonly request: EnrolRequest;
  readonly comparing: Comparing;
  /** On the monotonic clock. */
  readonly until: number;
  readonly expiresAt: number;
  code: string | undefined;
  lastPoll: number;
  outcome: Admission | { readonly state: 'refused'; readonly reason: string } | undefined;
};

type Parties = { readonly realm: Realm; readonly current: Pick<Current, 'projection'> };

/** Who is invited, and who has come. */
type Lobby = Parties & {
  readonly runtime: Runtime;
  readonly codes: Codes<Invitation>;
  /** Those that nobody has forgotten, by the handle of their code. */
  readonly guests: () => Map<string, Guest>;
  /** Each has its rank and its address behind those of the one before. */
  readonly inTurn: Serially;
};

/** Nobody is invited yet. */
export function createEnrolment(runtime: Runtime, parties: Parties): Enrolment {
  const { crypto, random, clock } = runtime;
  const codes = createCodes<Invitation>(crypto, random);
  const all = new Map<string, Guest>();
  const guests = (): Map<string, Guest> => {
    for (const [handle, { until }] of all) if (until <= clock.monotonic()) all.delete(handle);
    return all;
  };
  const inTurn = createSerially();
  const lobby: Lobby = { ...parties, runtime, codes, guests, inTurn };
  const find = (name: string): Guest => {
    const guest = undecided(lobby).find(({ opened }) => opened.data.name === name);
    if (guest !== undefined) return guest;
    throw new WebAdminError('not-found', `No new device called ${name} waits to be confirmed.`);
  };
  return {
    invite: (data) =>
      codes.issue({ purpose: ENROLMENT, ttlSeconds: CODE_SECONDS, data }, clock.now()),
    async answer(request, from) {
      const body = await readLimited(request, clock, MAX_REQUEST_BYTES);
      if (body === undefined) return new Response(null, { status: 413 });
      if (new URL(request.url).pathname === ENROL_PATH) return begin(lobby, body, from);
      const handle = pollHandle(body);
      const guest = handle && guests().get(encodeBase64(handle));
      return guest === undefined ? refuse(runtime, 'unknown', 403) : poll(runtime, guest, body);
    },
    waiting: () =>
      undecided(lobby).map(({ opened: { data }, code, expiresAt }) => ({
        ...{ name: data.name, role: data.role, code, expiresAt },
      })),
    async confirm(name, code, via) {
      const guest = find(name);
      if (guest.code === undefined || guest.code !== code.replace(/\s/g, '')) {
        throw new WebAdminError('conflict', `${code} is not the code of ${name}. ${MISMATCH}`);
      }
      // From here on it is decided: of two who confirm at once, one does.
      guest.outcome = refused('the other device could not add this one');
      const { opened, request } = guest;
      const admitted = await inTurn(() => admit(runtime, parties, opened.data, request, via));
      if (typeof admitted === 'string') {
        throw new WebAdminError('unavailable', `${name} could not be added (${admitted}).`);
      }
      guest.outcome = admitted;
    },
    reject(name) {
      find(name).outcome = refused('it was rejected on the other device');
    },
  };
}

const undecided = ({ guests }: Lobby): readonly Guest[] =>
  [...guests().values()].filter(({ outcome }) => outcome === undefined);

function refuse({ log }: Pick<Runtime, 'log'>, reason: string, status: number): Response {
  log('warn', 'enrolment-refused', { reason });
  return new Response(reason, { status });
}

async function begin(lobby: Lobby, body: Uint8Array, from: string): Promise<Response> {
  const { runtime, codes, guests, inTurn, realm } = lobby;
  const { crypto, random, clock } = runtime;
  if (undecided(lobby).length >= MAX_WAITING) return refuse(runtime, 'busy', 503);
  const opened = openEnrolment(crypto, random, codes, { request: body, from, now: clock.now() });
  if (!opened.ok) return refuse(runtime, opened.reason, 403);
  const parsed = v.safeParse(RequestSchema, opened.request);
  if (!parsed.success) return refuse(runtime, 'malformed', 400);
  const { output: request } = parsed;
  if (opened.data.isAuto && request.isAuto) {
    const reply = await inTurn(() => admit(runtime, lobby, opened.data, request, 'enrolment'));
    if (typeof reply === 'string') return refuse(runtime, reply, STATUS[reply]);
    return sealed(opened.reply(reply));
  }
  const problem = findProblem(runtime, lobby, request);
  if (problem !== undefined) return refuse(runtime, problem, STATUS[problem]);
  const comparing = offer(runtime, realm);
  guests().set(encodeBase64(opened.handle), {
    ...{ opened, request, comparing, code: undefined, lastPoll: 0, outcome: undefined },
    until: clock.monotonic() + CODE_SECONDS * 1_000,
    expiresAt: Math.floor(clock.now()) + CODE_SECONDS,
  });
  return sealed(opened.reply(comparing));
}

function poll(runtime: Runtime, guest: Guest, body: Uint8Array): Response {
  const { crypto } = runtime;
  const opened = guest.opened.openPoll(body);
  const parsed = v.safeParse(PollSchema, opened.ok ? opened.poll : undefined);
  if (!opened.ok || !parsed.success) return refuse(runtime, 'malformed', 400);
  const { reveal, number, abort } = parsed.output;
  if (number <= guest.lastPoll) return refuse(runtime, 'replayed', 409);
  guest.lastPoll = number;
  const secret = decodeBase64(reveal);
  const isKept = encodeBase64(commitTo(crypto, secret)) === guest.request.commitment;
  if (!isKept) guest.outcome ??= refused('it shows another number than it promised');
  if (abort === true) guest.outcome ??= refused('given up');
  if (isKept) guest.code ??= codeOf(crypto, secret, guest.request, guest.comparing);
  return sealed(opened.answer(guest.outcome ?? { state: 'waiting' }));
}

const MISMATCH =
  'If the new device shows another one than here, somebody sits in between: reject it.';

const refused = (reason: string) => ({ state: 'refused', reason }) as const;
const sealed = (bytes: Uint8Array): Response => new Response(new Uint8Array(bytes));

/** What this side gives to the comparison. */
function offer({ random }: Pick<Runtime, 'random'>, { store, keys }: Realm): Comparing {
  return {
    state: 'comparing',
    realm: store.realm,
    signingKey: encodeBase64(keys.signing.publicKey),
    wireguardKey: encodeBase64(keys.agreement.publicKey),
    nonce: encodeBase64(random(NONCE_BYTES)),
    seconds: CODE_SECONDS,
  };
}

/** Why a device with a good code is not added. */
type AdmissionProblem = keyof typeof STATUS;

const STATUS = { malformed: 400, 'known-device': 409, 'not-added': 503 } as const;

/** Public keys are no secret among devices: a code must not turn one device into another. */
function findProblem(
  { crypto, random }: Pick<Runtime, 'crypto' | 'random'>,
  { realm, current }: Parties,
  { signingKey, wireguardKey }: EnrolRequest,
): AdmissionProblem | undefined {
  const id = deviceId(crypto, decodeBase64(signingKey));
  const isKnown = current
    .projection()
    .devices.some((device) => device.id === id || device.wireguardKey === wireguardKey);
  if (isKnown) return 'known-device';
  const sealing = createSealing(crypto, random, realm.keys.agreement);
  const isKey = sealing.seal(decodeBase64(wireguardKey), SECRETS, new Uint8Array(0)) !== undefined;
  return isKey ? undefined : 'malformed';
}

async function admit(
  runtime: Runtime,
  parties: Parties,
  { name, role }: Invitation,
  request: EnrolRequest,
  via: string,
): Promise<Admission | AdmissionProblem> {
  const { crypto, random, clock } = runtime;
  const { store, keys, zoneKeys } = parties.realm;
  const problem = findProblem(runtime, parties, request);
  if (problem !== undefined) return problem;
  const { signingKey, wireguardKey, endpoints } = request;
  const publicKey = decodeBase64(wireguardKey);
  const id = deviceId(crypto, decodeBase64(signingKey));
  const sealing = createSealing(crypto, random, keys.agreement);
  const realmKeys = readRealmKeys({ crypto, sealing }, store.state(), keys.id);
  const secrets = {
    zone: encodeZoneKeys(zoneKeys),
    realm: realmKeys.map(({ secret }) => encodeBase64(secret)),
  };
  const plain = new TextEncoder().encode(JSON.stringify(secrets));
  const box = sealing.seal(publicKey, SECRETS, plain);
  if (box === undefined) return 'malformed';
  const { projection } = parties.current;
  const rank = role === 'owner' ? { rank: nextRank(store.state()) } : {};
  const device = {
    ...({ id, publicKey, name, kind: 'node', endpoints, signingKey, role } as const),
    ...rank,
  };
  try {
    const committing = { crypto, now: clock.now, store, projection };
    await commitDevice(committing, device, via, shareKeys(sealing, realmKeys, device));
  } catch (error) {
    if (error instanceof StorageError || error instanceof WebAdminError) return 'not-added';
    throw error;
  }
  return {
    ...{ state: 'admitted', realm: store.realm, name },
    wireguardKey: encodeBase64(keys.agreement.publicKey),
    secrets: encodeBase64(box),
    history: encodeBase64(await store.exportMissing({})),
  };
}
