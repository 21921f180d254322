/**
 * Joining a realm with a one-time code, on the new device. Unless both sides were told otherwise, two
 * short codes are compared before anything is sent (identity/enrolment.ts).
 */

import * as v from 'valibot';
import { commitTo, type DeviceKeys, type PendingEnrolment, sealEnrolment } from '#identity';
import { type Endpoint, type Runtime, RuntimeError } from '#runtime';
import { openStore, realmKey } from '#storage';
import { decodeBase64, encodeBase64 } from '../base64.ts';
import { type Config, printEndpoint } from '../config.ts';
import {
  decodeZoneKeys,
  findEndpoints,
  joiningMark,
  keyFile,
  openKeys,
  saveZoneKeys,
} from '../realm.ts';
import { exchange, type Progress } from '../sync/exchange.ts';
import { createFrameSealing } from '../sync/keys.ts';
import { readLimited } from '../sync/limited.ts';
import { readJson } from '../sync/serve.ts';
import {
  type Admission,
  AnswerSchema,
  type Comparing,
  codeOf,
  ENROL_PATH,
  POLL_PATH,
  ReplySchema,
  SECRETS,
  SecretsSchema,
} from './enrol-messages.ts';
import { createSealing } from './sealed.ts';

/** What joining ended in. */
export type Joined =
  | { readonly ok: true; readonly name: string; readonly realm: string }
  | { readonly ok: false; readonly reason: string };

/** What the person with the code said. */
export type Wish = {
  readonly endpoint: Endpoint;
  readonly code: string;
  /** Compare nothing: the code alone is enough, on both sides. */
  readonly isAuto: boolean;
};

/** What goes on meanwhile, for people. */
export type Watching = {
  readonly progress?: Progress;
  /** This is to be compared with what the other device shows. */
  readonly compare?: (code: string) => void;
  /** Somebody gives up. */
  readonly signal?: AbortSignal;
};

/** One page of history and some keys. */
const MAX_REPLY_BYTES = 4 << 20;
const ENROL_TIMEOUT_MS = 30_000;
const SECRET_BYTES = 32;
/** Between two questions whether somebody has compared. */
const FIRST_WAIT_MS = 500;
const LAST_WAIT_MS = 5_000;

/** Fills an empty data directory. */
export async function join(
  runtime: Runtime,
  config: Config,
  wish: Wish,
  watching: Watching = {},
): Promise<Joined> {
  const { files } = runtime;
  if ((await files.read(`${config.data}/realm`)) !== undefined) {
    return no(`${config.data} belongs to a realm already; name an empty directory with --data`);
  }
  await files.makeDirectory(config.data, 0o700);
  const mark = joiningMark(config.data);
  const isAgain = (await files.read(mark)) !== undefined;
  // Who was cut short may have been let in: those keys are known there, and once removed never welcome.
  if (isAgain) await files.remove(keyFile(config.data));
  const keys = await openKeys(runtime, config.data);
  const place = `${printEndpoint(wish.endpoint)}\n`;
  await files.replace(mark, new TextEncoder().encode(place));
  const answered = await request(runtime, config, keys, wish, watching);
  if (typeof answered === 'string') {
    if (!isAgain) await files.remove(mark);
    return no(answered);
  }
  return settle(runtime, config.data, keys, { ...answered, from: wish.endpoint }, watching);
}

const no = (reason: string): Joined => ({ ok: false, reason });

/** Asks until there is an admission, or a sentence why there is none. */
async function request(
  runtime: Runtime,
  config: Config,
  keys: DeviceKeys,
  { endpoint, code, isAuto }: Wish,
  watching: Watching,
): Promise<Admission | string> {
  const { crypto, random } = runtime;
  const secret = random(SECRET_BYTES);
  const own = {
    signingKey: encodeBase64(keys.signing.publicKey),
    wireguardKey: encodeBase64(keys.agreement.publicKey),
    endpoints: await findEndpoints(runtime, config),
    commitment: encodeBase64(commitTo(crypto, secret)),
    isAuto,
  };
  const sealed = sealEnrolment(crypto, random, { code, request: own });
  if (!sealed.ok) return REASONS[sealed.reason] ?? sealed.reason;
  const { pending } = sealed;
  const answered = await post(runtime, endpoint, ENROL_PATH, pending.request);
  if (typeof answered === 'string') return answered;
  const opened = pending.open(answered);
  const reply = v.safeParse(ReplySchema, opened.ok ? opened.reply : undefined);
  if (!reply.success) return UNREADABLE;
  // Whoever has the code and sits in between would rather not be compared.
  if (reply.output.state === 'admitted') return isAuto ? reply.output : UNASKED;
  const comparing = reply.output;
  watching.compare?.(codeOf(crypto, secret, own, comparing));
  const admission = await waitForOwner(runtime, endpoint, { pending, secret, comparing }, watching);
  if (typeof admission === 'string') return admission;
  const isSame =
    admission.realm === comparing.realm && admission.wireguardKey === comparing.wireguardKey;
  return isSame ? admission : UNREADABLE;
}

type Waiting = {
  readonly pending: PendingEnrolment;
  readonly secret: Uint8Array;
  readonly comparing: Comparing;
};

async function waitForOwner(
  runtime: Runtime,
  endpoint: Endpoint,
  waiting: Waiting,
  { signal }: Watching,
): Promise<Admission | string> {
  const { clock } = runtime;
  const until = clock.monotonic() + waiting.comparing.seconds * 1_000;
  let pause = FIRST_WAIT_MS;
  for (let number = 1; clock.monotonic() < until; number++) {
    const isGivenUp = signal?.aborted === true;
    const said = await ask(runtime, endpoint, waiting, { number, isGivenUp });
    if (isGivenUp) return 'given up';
    if (said !== undefined) return said;
    await clock.sleep(pause, signal).catch(() => undefined);
    pause = Math.min(pause * 1.3, LAST_WAIT_MS);
  }
  return 'nobody confirmed it in time; make a new code';
}

/** Undefined: nobody has decided, or the network is away for a moment. */
async function ask(
  runtime: Runtime,
  endpoint: Endpoint,
  { pending, secret }: Waiting,
  { number, isGivenUp }: { readonly number: number; readonly isGivenUp: boolean },
): Promise<Admission | string | undefined> {
  const abort = isGivenUp ? { abort: true } : {};
  const poll = pending.ask({ reveal: encodeBase64(secret), number, ...abort });
  const answered = await post(runtime, endpoint, POLL_PATH, poll.request);
  if (typeof answered === 'string') return FINAL.has(answered) ? answered : undefined;
  const opened = poll.open(answered);
  const answer = v.safeParse(AnswerSchema, opened.ok ? opened.reply : undefined);
  if (!answer.success) return UNREADABLE;
  if (answer.output.state === 'refused') return answer.output.reason;
  return answer.output.state === 'admitted' ? answer.output : undefined;
}

/** Writes what the realm sent. The realm's id comes last: until then the directory counts as empty. */
async function settle(
  runtime: Runtime,
  directory: string,
  keys: DeviceKeys,
  sent: Admission & { readonly from: Endpoint },
  { progress = () => undefined }: Watching,
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
      return no(
        `the history did not come whole: ${why}. Remove ${name} there, and join again with a new code`,
      );
    }
  }
  await saveZoneKeys(runtime, directory, decoded);
  await files.replace(`${directory}/realm`, new TextEncoder().encode(`${realm}\n`));
  await files.remove(joiningMark(directory));
  return { ok: true, name, realm };
}

const UNREADABLE = 'the answer cannot be read; is that the right address?';
const UNASKED =
  'the other side wants nothing compared: nothing was taken over. If you made the code with --auto-confirm, say so here too; else somebody sits in between';

/** What a refusal means to the person with the code. */
const REASONS: Readonly<Record<string, string>> = {
  mistyped: 'that is not a code; look for a typing mistake',
  unknown: 'that device knows no such code; was it restarted?',
  used: 'the code was used already; make a new one with `nymote device add --node`',
  expired: 'the code is too old; make a new one with `nymote device add --node`',
  'too-many-attempts': 'too many wrong codes; wait a minute',
  'known-device':
    'this machine is one of its devices already; remove it there, then join again with another --data',
  busy: 'too many others are waiting there to be confirmed; try again in some minutes',
  'not-added': 'that device could not add this one (is its disk full?), and the code is used up',
};

/** Asking again does not help. */
const FINAL = new Set([REASONS['unknown'], REASONS['expired']]);

async function post(
  { http, clock }: Pick<Runtime, 'http' | 'clock'>,
  endpoint: Endpoint,
  path: string,
  body: Uint8Array,
): Promise<Uint8Array | string> {
  const place = printEndpoint(endpoint);
  const request = new Request(`http://${place}${path}`, {
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
