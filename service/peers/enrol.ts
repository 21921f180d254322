/**
 * A new full node, by a one-time code: both ends. It becomes an owner, junior to whoever admits it.
 *
 *     new device                                   an owner of the realm
 *     POST /peer/v1/enrol   its keys, sealed ────► one commit: devices/<id>
 *                           ◄──── sealed: realm, history, keys of the zone and the realm
 *
 * The boxes are sealed under the code (identity/enrolment.ts). The keys are sealed once more, for the
 * new device's own key: whoever learns the code later cannot open them (I2).
 */

import * as v from 'valibot';
import {
  createCodes,
  type DeviceKeys,
  deviceId,
  ENROLMENT,
  openEnrolment,
  sealEnrolment,
} from '#identity';
import { type Endpoint, type Runtime, RuntimeError } from '#runtime';
import { nextRank, openStore, realmKey, StorageError } from '#storage';
import { WebAdminError } from '#web-admin';
import { decodeBase64, encodeBase64 } from '../base64.ts';
import { type Config, printEndpoint } from '../config.ts';
import type { Current } from '../current.ts';
import { commitDevice } from '../faces/devices.ts';
import {
  decodeZoneKeys,
  encodeZoneKeys,
  findEndpoints,
  joiningMark,
  openKeys,
  type Realm,
  saveZoneKeys,
} from '../realm.ts';
import { Key32 } from '../records.ts';
import { exchange } from '../sync/exchange.ts';
import { createFrameSealing, readRealmKeys, shareKeys } from '../sync/keys.ts';
import { readLimited } from '../sync/limited.ts';
import { readJson } from '../sync/serve.ts';
import { createSealing } from './sealed.ts';

/** Path of the one request. */
export const ENROL_PATH = '/peer/v1/enrol';

const CODE_SECONDS = 900;
const MAX_REQUEST_BYTES = 16_384;
/** One page of history and some keys. */
const MAX_REPLY_BYTES = 4 << 20;
const ENROL_TIMEOUT_MS = 30_000;
const SECRETS = 'enrolment secrets';

const Base64 = v.pipe(v.string(), v.base64());

const RequestSchema = v.strictObject({
  signingKey: Key32,
  wireguardKey: Key32,
  endpoints: v.pipe(v.array(v.string()), v.maxLength(16)),
});

const ReplySchema = v.strictObject({
  realm: v.pipe(v.string(), v.hexadecimal()),
  name: v.string(),
  /** Who seals the keys. */
  wireguardKey: Base64,
  secrets: Base64,
  history: Base64,
});

const SecretsSchema = v.strictObject({ zone: v.string(), realm: v.array(Key32) });

export type Enrolment = {
  /** A code for a device of this name. */
  readonly invite: (name: string) => { readonly code: string; readonly expiresAt: number };
  /** Answers the request of a new device. */
  readonly answer: (request: Request, from: string) => Promise<Response>;
};

/** The realm's side. Codes do not outlive the process. */
export function createEnrolment(
  runtime: Runtime,
  { realm, current }: { readonly realm: Realm; readonly current: Pick<Current, 'projection'> },
): Enrolment {
  const { crypto, random, clock, log } = runtime;
  const codes = createCodes<{ readonly name: string }>(crypto, random);
  return {
    invite: (name) =>
      codes.issue({ purpose: ENROLMENT, ttlSeconds: CODE_SECONDS, data: { name } }, clock.now()),
    async answer(request, from) {
      const body = await readLimited(request, clock, MAX_REQUEST_BYTES);
      if (body === undefined) return new Response(null, { status: 413 });
      const opened = openEnrolment(crypto, random, codes, {
        request: body,
        from,
        now: clock.now(),
      });
      if (!opened.ok) {
        log('warn', 'enrolment-refused', { reason: opened.reason });
        return new Response(opened.reason, { status: 403 });
      }
      const parsed = v.safeParse(RequestSchema, opened.request);
      if (!parsed.success) return new Response('malformed', { status: 400 });
      const reply = await admit(runtime, realm, current, opened.data.name, parsed.output);
      if (typeof reply !== 'string') return new Response(new Uint8Array(opened.reply(reply)));
      log('warn', 'enrolment-refused', { reason: reply });
      return new Response(reply, { status: STATUS[reply] });
    },
  };
}

/** Why a device with a good code is not added. */
type AdmissionProblem = keyof typeof STATUS;

const STATUS = { malformed: 400, 'known-device': 409, 'not-added': 503 } as const;

async function admit(
  { crypto, random, clock }: Runtime,
  { store, keys, zoneKeys }: Realm,
  current: Pick<Current, 'projection'>,
  name: string,
  { signingKey, wireguardKey, endpoints }: v.InferOutput<typeof RequestSchema>,
): Promise<v.InferOutput<typeof ReplySchema> | AdmissionProblem> {
  const publicKey = decodeBase64(wireguardKey);
  const id = deviceId(crypto, decodeBase64(signingKey));
  // Public keys are no secret among devices: a code must not turn one device into another.
  const isKnown = current
    .projection()
    .devices.some((device) => device.id === id || device.wireguardKey === wireguardKey);
  if (isKnown) return 'known-device';
  const sealing = createSealing(crypto, random, keys.agreement);
  const realmKeys = readRealmKeys({ crypto, sealing }, store.state(), keys.id);
  const secrets = {
    zone: encodeZoneKeys(zoneKeys),
    realm: realmKeys.map(({ secret }) => encodeBase64(secret)),
  };
  const plain = new TextEncoder().encode(JSON.stringify(secrets));
  const sealed = sealing.seal(publicKey, SECRETS, plain);
  if (sealed === undefined) return 'malformed';
  const parties = { crypto, now: clock.now, store, projection: current.projection };
  const rank = nextRank(store.state());
  const device = {
    ...({ id, publicKey, name, kind: 'node', endpoints, signingKey } as const),
    ...({ role: 'owner', rank } as const),
  };
  try {
    await commitDevice(parties, device, 'enrolment', shareKeys(sealing, realmKeys, device));
  } catch (error) {
    if (error instanceof StorageError || error instanceof WebAdminError) return 'not-added';
    throw error;
  }
  return {
    realm: store.realm,
    name,
    wireguardKey: encodeBase64(keys.agreement.publicKey),
    secrets: encodeBase64(sealed),
    history: encodeBase64(await store.exportMissing({})),
  };
}

/** What joining ended in. */
export type Joined =
  | { readonly ok: true; readonly name: string; readonly realm: string }
  | { readonly ok: false; readonly reason: string };

/** The new device's side: fills an empty data directory. */
export async function join(
  runtime: Runtime,
  config: Config,
  endpoint: Endpoint,
  code: string,
  progress: (commits: number) => void = () => undefined,
): Promise<Joined> {
  const { files, crypto, random } = runtime;
  if ((await files.read(`${config.data}/realm`)) !== undefined) {
    return {
      ok: false,
      reason: `${config.data} belongs to a realm already; name an empty directory with --data`,
    };
  }
  await files.makeDirectory(config.data, 0o700);
  const keys = await openKeys(runtime, config.data);
  const request = {
    signingKey: encodeBase64(keys.signing.publicKey),
    wireguardKey: encodeBase64(keys.agreement.publicKey),
    endpoints: await findEndpoints(runtime, config),
  };
  const sealed = sealEnrolment(crypto, random, { code, request });
  if (!sealed.ok) return { ok: false, reason: REASONS[sealed.reason] ?? sealed.reason };
  const mark = joiningMark(config.data);
  const isAgain = (await files.read(mark)) !== undefined;
  await files.replace(mark, new TextEncoder().encode(`${printEndpoint(endpoint)}\n`));
  const answered = await post(runtime, endpoint, sealed.pending.request);
  if (typeof answered === 'string') {
    if (!isAgain) await files.remove(mark);
    return { ok: false, reason: answered };
  }
  const opened = sealed.pending.open(answered);
  const parsed = v.safeParse(ReplySchema, opened.ok ? opened.reply : undefined);
  if (!parsed.success)
    return { ok: false, reason: 'the answer cannot be read; is that the right address?' };
  return settle(runtime, config.data, keys, { ...parsed.output, from: endpoint }, progress);
}

/** Writes what the realm sent. The realm's id comes last: until then the directory counts as empty. */
async function settle(
  runtime: Runtime,
  directory: string,
  keys: DeviceKeys,
  sent: v.InferOutput<typeof ReplySchema> & { readonly from: Endpoint },
  progress: (commits: number) => void,
): Promise<Joined> {
  const { files, crypto, random, clock, http } = runtime;
  const { realm, name, history, from } = sent;
  const sealing = createSealing(crypto, random, keys.agreement);
  const publicKey = decodeBase64(sent.wireguardKey);
  const secret = sealing.open(publicKey, SECRETS, decodeBase64(sent.secrets));
  const secrets = secret && readJson(SecretsSchema, secret);
  const decoded = secrets && decodeZoneKeys(secrets.zone);
  if (secrets === undefined || decoded === undefined)
    return { ok: false, reason: 'the keys in the answer cannot be opened' };
  {
    await using store = await openStore(runtime, { directory: `${directory}/store`, realm });
    const { refused } = await store.importCommits(decodeBase64(history));
    const [first] = refused;
    if (first !== undefined) throw first.reason;
    const realmKeys = secrets.realm.map((text) => realmKey(crypto, decodeBase64(text)));
    const asking = {
      ...{ clock, crypto, http },
      signer: crypto.signer('ed25519', keys.signing.privateKey),
      store: () => store,
      keys: () => realmKeys,
      seal: createFrameSealing(
        crypto,
        () => store,
        () => realmKeys,
      ),
      progress,
    };
    try {
      await exchange(asking, { name: 'the realm', url: `http://${printEndpoint(from)}` });
    } catch (error) {
      const why = (error as Error).message;
      return { ok: false, reason: `the history did not come whole: ${why}` };
    }
  }
  await saveZoneKeys(runtime, directory, decoded);
  await files.replace(`${directory}/realm`, new TextEncoder().encode(`${realm}\n`));
  await files.remove(joiningMark(directory));
  return { ok: true, name, realm };
}

/** What a refusal means to the person with the code. */
const REASONS: Readonly<Record<string, string>> = {
  mistyped: 'that is not a code; look for a typing mistake',
  unknown: 'that device knows no such code; was it restarted?',
  used: 'the code was used already; make a new one with `nymote device add --node`',
  expired: 'the code is too old; make a new one with `nymote device add --node`',
  'too-many-attempts': 'too many wrong codes; wait a minute',
  'known-device': 'this machine is one of its devices already; remove it there, then join again',
  'not-added': 'that device could not add this one (is its disk full?), and the code is used up',
};

async function post(
  { http, clock }: Pick<Runtime, 'http' | 'clock'>,
  endpoint: Endpoint,
  body: Uint8Array,
): Promise<Uint8Array | string> {
  const place = printEndpoint(endpoint);
  const request = new Request(`http://${place}${ENROL_PATH}`, {
    method: 'POST',
    body: new Uint8Array(body),
  });
  try {
    const response = await http.fetch(request, { timeoutMs: ENROL_TIMEOUT_MS });
    if (!response.ok) {
      const reason = await response.text();
      return REASONS[reason] ?? `${place} refused (${response.status} ${reason})`;
    }
    const body = await readLimited(response, clock, MAX_REPLY_BYTES);
    return body ?? `the answer of ${place} broke off or is too large`;
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    return `${place} cannot be reached: ${error.message}`;
  }
}
