/**
 * What a new device and the realm say to each other, inside of the boxes (identity/enrolment.ts).
 *
 *     new device                                     an owner of the realm
 *     request  its keys, hash of its secret     ───►
 *                                               ◄─── comparing: realm, keys, a number; or admitted
 *     poll     its secret, a counter            ───►  both show the short code
 *                                               ◄─── waiting … refused | admitted
 */

import * as v from 'valibot';
import { shortCode } from '#identity';
import type { Crypto } from '#runtime';
import { Key32 } from '../records.ts';

/** Where a new device asks, and where it asks again. */
export const ENROL_PATH = '/peer/v1/enrol';
export const POLL_PATH = `${ENROL_PATH}/poll`;
/** What the keys are sealed for. */
export const SECRETS = 'enrolment secrets';

const Base64 = v.pipe(v.string(), v.base64());

export const RequestSchema = v.strictObject({
  signingKey: Key32,
  wireguardKey: Key32,
  endpoints: v.pipe(v.array(v.string()), v.maxLength(16)),
  /** SHA-256 of what a poll reveals. */
  commitment: Key32,
  /** Nothing is compared, if the code says the same. */
  isAuto: v.boolean(),
});

/** What a device that is let in is given. */
export const AdmissionSchema = v.strictObject({
  state: v.literal('admitted'),
  realm: v.pipe(v.string(), v.hexadecimal()),
  name: v.string(),
  /** Who seals the keys. */
  wireguardKey: Base64,
  secrets: Base64,
  history: Base64,
});

const ComparingSchema = v.strictObject({
  state: v.literal('comparing'),
  realm: v.pipe(v.string(), v.hexadecimal()),
  signingKey: Key32,
  wireguardKey: Key32,
  nonce: Key32,
  /** How long somebody may take to compare. */
  seconds: v.pipe(v.number(), v.minValue(0), v.maxValue(86_400)),
});

export const ReplySchema = v.variant('state', [AdmissionSchema, ComparingSchema]);

export const PollSchema = v.strictObject({
  reveal: Key32,
  /** Grows with each poll: a replay is none. */
  number: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  abort: v.optional(v.literal(true)),
});

export const AnswerSchema = v.variant('state', [
  AdmissionSchema,
  v.strictObject({ state: v.literal('waiting') }),
  v.strictObject({ state: v.literal('refused'), reason: v.string() }),
]);

export const SecretsSchema = v.strictObject({ zone: v.string(), realm: v.array(Key32) });

export type EnrolRequest = v.InferOutput<typeof RequestSchema>;
export type Admission = v.InferOutput<typeof AdmissionSchema>;
export type Comparing = v.InferOutput<typeof ComparingSchema>;

/** The six digits that both sides show. */
export function codeOf(
  crypto: Pick<Crypto, 'hkdf'>,
  secret: Uint8Array,
  { signingKey, wireguardKey, endpoints, commitment, isAuto }: EnrolRequest,
  comparing: Omit<Comparing, 'state' | 'seconds'>,
): string {
  const theirs = [signingKey, wireguardKey, endpoints.join(' '), commitment, String(isAuto)];
  const { realm, signingKey: signing, wireguardKey: wireguard, nonce } = comparing;
  return shortCode(crypto, secret, [...theirs, realm, signing, wireguard, nonce]);
}
