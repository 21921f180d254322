/**
 * The shapes of what the store holds, one valibot schema per collection.
 *
 * The same schemas guard every commit before it is written and every state before it is projected.
 */

import * as v from 'valibot';
import { readTracked } from '#resolver';
import { isSecretOption, parseOption } from './apply/option.ts';
import { isAddress, MAX_APEX, readEndpoint } from './config.ts';

const MAX_NOTE = 500;
const MAX_ENDPOINTS = 16;
const MAX_RECORDS = 64;
const MAX_RECORD_TEXT = 4_096;

export const Label = v.pipe(
  v.string(),
  v.regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'a DNS label in lower case'),
);
/** A raw key of 32 bytes, in the one spelling that base64 has for it. */
export const Key32 = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/, '32 bytes in base64'),
);
const Address = v.pipe(v.string(), v.check(isAddress, 'an address'));
const EndpointText = v.pipe(
  v.string(),
  v.check((text) => readEndpoint(text) !== undefined, 'address:port'),
);

/** How much history stays; without `megabytes` nothing goes by itself. */
export const KeptHistory = v.strictObject({
  days: v.pipe(v.number(), v.integer(), v.minValue(30), v.maxValue(36_500)),
  commits: v.pipe(v.number(), v.integer(), v.minValue(50), v.maxValue(1_000_000)),
  megabytes: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10_000))),
});

/** `realm/settings`: the person and the zone. */
export const RealmSettings = v.strictObject({
  user: Label,
  apex: v.pipe(v.string(), v.maxLength(MAX_APEX)),
  zoneAlgorithm: v.picklist(['ecdsa-p256', 'ed25519']),
  /** Beginnings of paths that two owners write together. */
  twoOwners: v.optional(v.pipe(v.array(v.string()), v.maxLength(64))),
  history: v.optional(KeptHistory),
});

/** `realm/recovery`: the keys of the recovery phrase, which is no device. */
export const RecoveryRecord = v.strictObject({
  id: v.string(),
  signingKey: Key32,
  /** Whom backups are sealed for, as age has it. */
  recipient: v.pipe(v.string(), v.startsWith('age1')),
});

/** `realm/hub`: where devices exchange what they write when they cannot meet. */
export const HubRecord = v.strictObject({
  url: v.pipe(v.string(), v.url(), v.regex(/^https?:/, 'a URL of a hub')),
});

/** `keys/<id>`: a key of the realm, sealed for each full device; and which one it came after. */
export const KeyRecord = v.record(
  v.string(),
  v.union([v.string(), v.strictObject({ sealed: v.pipe(v.string(), v.base64()) })]),
);

/** Tells of `collection/key/field` that nothing may be written there in the clear (I2). */
export const mustBeSealed = (path: string): boolean => /^keys\/[^/]+\/(?!after$)/.test(path);

/** `proposals/<device>.<name>`: what an owner wants another one to do with it. */
export const ProposalRecord = v.strictObject({ ops: v.array(v.record(v.string(), v.unknown())) });

/** `realm/base-<commit>`: where the history begins from then on (storage/disk/base.ts). */
export const BaseRecord = v.strictObject({
  commit: v.string(),
  device: v.string(),
  state: v.string(),
  vector: v.record(v.string(), v.number()),
  without: v.array(v.string()),
});

/** `late/<device>`: which of its late changes somebody adopted or let go (storage/changes/late.ts). */
export const LateRecord = v.strictObject({ decided: v.array(v.string()) });

const GrantRecord = v.strictObject({
  prefix: v.string(),
  may: v.array(v.picklist(['write', 'admit', 'revoke', 'confirm'])),
});

/** `devices/<id>`: one thing with a key. */
export const DeviceRecord = v.strictObject({
  name: Label,
  /** signpost: full and always on; node: full; plain: the stock WireGuard app. */
  kind: v.picklist(['signpost', 'node', 'plain']),
  wireguardKey: Key32,
  signingKey: v.optional(Key32),
  /** The founder of a realm without a recovery phrase. */
  writer: v.optional(v.literal(true)),
  /** What it may write: all, or what concerns itself (storage/rights/members.ts). */
  role: v.optional(v.picklist(['owner', 'device', 'guest', 'hub'])),
  /** The order in which owners became owners: the lower one wins. */
  rank: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  grants: v.optional(v.array(GrantRecord)),
  /** The IPv6 address is not kept: it follows from the realm and the WireGuard key. */
  ipv4: Address,
  endpoints: v.pipe(v.array(EndpointText), v.maxLength(MAX_ENDPOINTS)),
  addedAt: v.pipe(v.number(), v.integer()),
  /** A plain device's signpost: the one full node that holds its tunnel. */
  home: v.optional(v.string()),
  note: v.optional(v.pipe(v.string(), v.maxLength(MAX_NOTE))),
});

/** `names/<owner relative to the apex>`: further records of the zone, in presentation form. */
export const NameRecord = v.strictObject({
  records: v.pipe(
    v.array(
      v.strictObject({
        type: v.pipe(v.string(), v.regex(/^[A-Z0-9-]{1,16}$/)),
        ttl: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(604_800)),
        data: v.pipe(v.string(), v.maxLength(MAX_RECORD_TEXT)),
      }),
    ),
    v.maxLength(MAX_RECORDS),
  ),
});

const MAX_UCI_TEXT = 1_024;
const MAX_UCI_LIST = 64;
/** One line of a file in /etc/config. */
const UciText = v.pipe(
  v.string(),
  v.maxLength(MAX_UCI_TEXT),
  v.check((text) => !/\p{Cc}/u.test(text), 'one line of text'),
);

/** `options/<id>`: one UCI option of one device. */
export const OptionRecord = v.strictObject({
  device: v.string(),
  option: v.pipe(
    v.string(),
    v.check(
      (text) => parseOption(text) !== undefined,
      'package.section.option of network, wireless, firewall, dhcp or system',
    ),
    v.check((text) => !isSecretOption(text), 'no option that holds a secret'),
  ),
  value: v.union([UciText, v.pipe(v.array(UciText), v.minLength(1), v.maxLength(MAX_UCI_LIST))]),
  /** The device that tries it before this one does. */
  firstOn: v.optional(v.string()),
  note: v.optional(v.pipe(v.string(), v.maxLength(MAX_NOTE))),
});

/** `confirmations/<id of a pending change>`: somebody said that the change is good. */
export const ConfirmationRecord = v.strictObject({
  /** Where the change is pending. */
  device: v.string(),
  at: v.pipe(v.number(), v.integer()),
});

const CommitText = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'a commit'));
const Reason = v.pipe(v.string(), v.maxLength(MAX_NOTE));

/** `status/<device>`: what holds there, as the device itself says. */
export const DeviceStatus = v.strictObject({
  /** The commit whose options hold, and the digest of them. */
  applied: v.optional(CommitText),
  part: v.optional(v.pipe(v.string(), v.maxLength(64))),
  /** How the last change ended there. */
  outcome: v.optional(v.picklist(['confirmed', 'rolled-back', 'failed'])),
  /** The commit that was taken back, or could not be applied. */
  refused: v.optional(CommitText),
  reason: v.optional(Reason),
  pending: v.optional(
    v.strictObject({
      id: v.pipe(v.string(), v.maxLength(64)),
      commit: CommitText,
      kind: v.picklist(['plain', 'slow', 'risky']),
    }),
  ),
  at: v.pipe(v.number(), v.integer()),
});

/** `anchors/root`: what is known of the root's keys (RFC 5011) beyond what we are shipped with. */
export const AnchorRecord = v.strictObject({
  keys: v.pipe(
    v.unknown(),
    v.check((keys) => readTracked(keys) !== undefined, 'a list of DNSKEYs and their states'),
  ),
});

export type OptionRecord = v.InferOutput<typeof OptionRecord>;
export type DeviceStatus = v.InferOutput<typeof DeviceStatus>;
export type RealmSettings = v.InferOutput<typeof RealmSettings>;
export type DeviceRecord = v.InferOutput<typeof DeviceRecord>;
export type NameRecord = v.InferOutput<typeof NameRecord>;

/** One sentence per thing that is wrong with `value`, with the path to it; empty when it fits. */
export function problemsOf(schema: v.GenericSchema, value: unknown, path: string): string[] {
  const result = v.safeParse(schema, value);
  if (result.success) return [];
  return result.issues.map((issue) => {
    const field = v.getDotPath(issue);
    return `${path}${field ? `/${field.replaceAll('.', '/')}` : ''}: ${issue.message}`;
  });
}
