/**
 * What goes over the wire of `/api/v1`, as valibot schemas: the requests are checked with them, the
 * OpenAPI document is made of them, and the types of `backend.ts` and of the browser's code are
 * inferred from them. Times are seconds since 1970; fields that do not apply are absent.
 */

import * as v from 'valibot';
import { roleSchema } from './enrolment-schema.ts';

/** Read-only all the way down: what a backend hands out is never changed by its reader. */
export type Immutable<T> = T extends (infer Item)[]
  ? readonly Immutable<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Immutable<T[Key]> }
    : T;

type Output<Schema extends v.GenericSchema> = Immutable<v.InferOutput<Schema>>;

const seconds = v.pipe(v.number(), v.description('Seconds since 1970-01-01T00:00Z'));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** One DNS label of letters, digits and hyphens (RFC 1123 §2.1), lower case. */
export const labelSchema = v.pipe(
  v.string(),
  v.regex(
    /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
    'letters a–z, digits and inner hyphens, 1 to 63',
  ),
);

const deviceKind = v.picklist(['signpost', 'node', 'plain']);

/** How well a device can be reached: `idle` is known but has no tunnel just now. */
const linkState = v.picklist(['up', 'pending', 'idle', 'failed']);

export const peerSchema = v.object({
  device: v.string(),
  name: v.string(),
  state: linkState,
  endpoint: v.optional(v.string()),
  lastHandshakeSeconds: v.optional(v.pipe(v.number(), v.description('Age of the last handshake'))),
  rxBytes: count,
  txBytes: count,
  why: v.pipe(v.string(), v.description('One sentence for people')),
});
export type Peer = Output<typeof peerSchema>;

export const statusSchema = v.object({
  version: v.string(),
  user: v.string(),
  apex: v.string(),
  device: v.object({ id: v.string(), name: v.string(), kind: deviceKind }),
  readOnly: v.boolean(),
  readOnlyReason: v.optional(v.string()),
  dns: v.object({
    addresses: v.array(
      v.pipe(v.string(), v.description('Where it listens, as address:port or [address]:port')),
    ),
    questions: count,
    cacheHits: count,
    cacheEntries: v.optional(count),
    refused: v.optional(count),
  }),
  encryptedDns: v.optional(
    v.object({
      name: v.pipe(v.string(), v.description('What clients verify the certificate against')),
      dot: v.array(v.pipe(v.string(), v.description('Where it listens, as address:port'))),
      doh: v.array(v.pipe(v.string(), v.description('Where it listens, as address:port'))),
      templates: v.array(v.pipe(v.string(), v.description('URI templates of DoH (RFC 8484)'))),
      certificate: v.object({
        isOwn: v.pipe(v.boolean(), v.description('Made and renewed by this device')),
        expiresAt: seconds,
        pin: v.pipe(v.string(), v.description('SHA-256 of its public key, in Base64 (RFC 7858)')),
      }),
      designation: v.array(
        v.pipe(v.string(), v.description('SVCB records of _dns.resolver.arpa (RFC 9462)')),
      ),
      dnr: v.pipe(
        v.object({
          dhcpv4: v.pipe(v.string(), v.description('Contents of DHCP option 162')),
          dhcpv6: v.array(v.pipe(v.string(), v.description('Contents of DHCPv6 option 144'))),
          routerAdvertisement: v.array(
            v.pipe(v.string(), v.description('Whole options of router advertisements')),
          ),
        }),
        v.description('For the router that tells its network (RFC 9463), in hexadecimal'),
      ),
    }),
  ),
  tunnels: v.object({
    state: v.picklist(['up', 'off']),
    reason: v.optional(v.string()),
    backend: v.optional(v.string()),
    peers: v.array(peerSchema),
  }),
  store: v.object({
    head: v.string(),
    commits: count,
    problems: v.array(v.string()),
    history: v.optional(v.pipe(v.string(), v.description('How much of it is kept, in words'))),
  }),
  waiting: v.optional(
    v.pipe(
      v.object({ conflicts: count, late: count, proposals: count }),
      v.description('What waits for a person'),
    ),
  ),
  merge: v.optional(
    v.pipe(
      v.object({
        problems: v.array(v.string()),
        fix: v.string(),
        changes: v.pipe(
          v.array(
            v.object({
              ...{ commit: v.string(), device: v.string(), name: v.string() },
              ...{ date: seconds, via: v.string(), message: v.string() },
            }),
          ),
          v.description('The last ones that concern it, newest first'),
        ),
      }),
      v.description('Why an older state is in force than the head'),
    ),
  ),
  sync: v.optional(
    v.array(
      v.object({
        name: v.string(),
        agoSeconds: v.optional(v.pipe(v.number(), v.description('Since both had the same'))),
        problem: v.optional(v.string()),
        refused: count,
        done: v.optional(v.pipe(count, v.description('Changes that came so far'))),
        of: v.optional(v.pipe(count, v.description('Changes that are to come in all'))),
      }),
    ),
  ),
  clock: v.object({ isSet: v.boolean() }),
  uptimeSeconds: v.number(),
  memoryBytes: count,
  warnings: v.array(v.string()),
});
export type Status = Output<typeof statusSchema>;

export const deviceSchema = v.object({
  id: v.string(),
  name: v.string(),
  fqdn: v.string(),
  kind: deviceKind,
  ipv6: v.string(),
  ipv4: v.optional(v.string()),
  state: linkState,
  why: v.optional(v.pipe(v.string(), v.description('Why it is in that state'))),
  addedAt: seconds,
  endpoints: v.array(v.string()),
  role: v.optional(v.pipe(v.string(), v.description('What a node may change'))),
  self: v.boolean(),
});
export type Device = Output<typeof deviceSchema>;

export const newDeviceSchema = v.strictObject({
  name: labelSchema,
  kind: v.picklist(['plain', 'node']),
  role: v.optional(v.pipe(roleSchema, v.description('Of a node; owner when absent'))),
  autoConfirm: v.optional(
    v.pipe(v.boolean(), v.description('The code alone lets a node in: nothing is compared')),
  ),
});
export type NewDevice = Output<typeof newDeviceSchema>;

export const addedDeviceSchema = v.variant('kind', [
  v.object({
    kind: v.literal('plain'),
    device: deviceSchema,
    config: v.pipe(v.string(), v.description('wg-quick text with the private key, given once')),
    once: v.literal(true),
  }),
  v.object({
    kind: v.literal('node'),
    code: v.string(),
    command: v.pipe(v.string(), v.description('To be run on the new device')),
    uri: v.pipe(
      v.string(),
      v.description('The same for `nymote join`, short enough for a QR code'),
    ),
    expiresAt: seconds,
  }),
]);
export type AddedDevice = Output<typeof addedDeviceSchema>;

export const zoneSchema = v.object({
  apex: v.string(),
  serial: count,
  records: v.array(v.pipe(v.string(), v.description('RFC 1035 §5 presentation format'))),
});
export type ZoneView = Output<typeof zoneSchema>;

export const anchorSchema = v.object({
  ds: v.string(),
  dnskey: v.string(),
  delv: v.pipe(v.string(), v.description('A file for delv -a')),
  unbound: v.pipe(v.string(), v.description('Lines for unbound.conf')),
});
export type Anchor = Output<typeof anchorSchema>;

export const whyQuerySchema = v.object({
  asker: v.optional(v.pipe(v.string(), v.maxLength(255), v.description('A device or an address'))),
  verb: v.optional(v.pipe(v.string(), v.maxLength(63))),
  name: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(1020))),
  line: v.optional(
    v.pipe(
      v.string(),
      v.minLength(1),
      v.maxLength(1020),
      v.description('Instead of a name: `uci network.lan.ipaddr`, `nymote0.peer.phone`'),
    ),
  ),
  at: v.optional(
    v.pipe(v.string(), v.regex(/^\d{1,12}$/), v.description('Seconds since 1970, default now')),
  ),
});

export const decisionSchema = v.object({
  effect: v.picklist(['allow', 'deny']),
  asker: v.string(),
  verb: v.string(),
  name: v.string(),
  sentence: v.pipe(v.string(), v.description('The decision and its reason, for people')),
  reason: v.pipe(v.string(), v.description('A kebab-case code')),
  rule: v.optional(v.string()),
  tier: v.optional(v.string()),
  validUntil: v.optional(seconds),
  overridden: v.array(v.string()),
});
export type DecisionView = Output<typeof decisionSchema>;

const pathChange = v.object({
  path: v.string(),
  kind: v.picklist(['added', 'changed', 'removed']),
});

export const commitSchema = v.object({
  id: v.string(),
  seq: count,
  author: v.pipe(v.string(), v.description('The device that signed it, by its name')),
  device: v.optional(v.pipe(v.string(), v.description('Its id'))),
  person: v.optional(v.pipe(v.string(), v.description('Whose device it is'))),
  date: seconds,
  via: v.string(),
  message: v.string(),
  what: v.optional(v.pipe(v.array(v.string()), v.description('What changed, for people'))),
  changes: v.array(pathChange),
});
export type CommitView = Output<typeof commitSchema>;

export const logQuerySchema = v.object({
  limit: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^(?:[1-9]\d?|[1-4]\d\d|500)$/, '1 to 500'),
      v.description('1 to 500'),
    ),
  ),
  before: v.optional(v.pipe(v.string(), v.maxLength(128), v.description('A commit id'))),
  path: v.optional(v.pipe(v.string(), v.maxLength(512))),
  device: v.optional(v.pipe(v.string(), v.maxLength(255), v.description('By id or name'))),
  grep: v.optional(
    v.pipe(v.string(), v.maxLength(255), v.description('Words of the reason or of what changed')),
  ),
});

export const logSchema = v.object({
  commits: v.array(commitSchema),
  next: v.optional(v.pipe(v.string(), v.description('`before` of the next page'))),
});
export type LogPage = Output<typeof logSchema>;

const commitId = v.pipe(v.string(), v.regex(/^[0-9a-f]{7,64}$/, 'a commit id'));

export const diffQuerySchema = v.object({ from: v.optional(commitId), to: commitId });

export const changeSchema = v.object({
  ...pathChange.entries,
  before: v.optional(v.unknown()),
  after: v.optional(v.unknown()),
});

export const diffSchema = v.object({
  from: v.optional(v.string()),
  to: v.string(),
  changes: v.array(changeSchema),
});
export type DiffView = Output<typeof diffSchema>;

/** A rule as policy reads it: id, tier, effect, who, do, what, when, note, enabled. */
const ruleSchema = v.record(v.string(), v.unknown());

export const rulesSchema = v.object({
  rules: v.pipe(v.array(ruleSchema), v.description("The realm's own")),
  shipped: v.pipe(v.array(ruleSchema), v.description('What holds without any')),
});
export type RulesView = Output<typeof rulesSchema>;

export const signersSchema = v.object({
  allowedSigners: v.pipe(
    v.string(),
    v.description('A file for git: gpg.ssh.allowedSignersFile, or ssh-keygen -Y verify -f'),
  ),
});

export const revertSchema = v.strictObject({ id: commitId });

export const questionSchema = v.object({
  id: v.pipe(count, v.description('Grows by one for each question since the start')),
  at: seconds,
  asker: v.object({ address: v.string(), device: v.optional(v.string()) }),
  transport: v.picklist(['udp', 'tcp', 'dot', 'doh']),
  name: v.string(),
  type: v.string(),
  rcode: v.string(),
  from: v.picklist(['zone', 'cache', 'recursion', 'forward', 'policy']),
  milliseconds: v.number(),
  ede: v.optional(v.object({ code: count, text: v.string() })),
});
export type QuestionView = Output<typeof questionSchema>;

export const questionsSchema = v.object({ questions: v.array(questionSchema) });

export const redeemSchema = v.strictObject({ code: v.pipe(v.string(), v.maxLength(128)) });

export const sessionSchema = v.object({ name: v.string(), expiresAt: seconds });

export const signInLinkSchema = v.object({
  url: v.pipe(v.string(), v.description('Open it in a browser; it works once')),
  expiresAt: seconds,
});
export type SignInLink = Output<typeof signInLinkSchema>;

export const checkSchema = v.object({
  name: v.string(),
  ok: v.boolean(),
  detail: v.string(),
  fix: v.optional(v.string()),
});
export type Check = Output<typeof checkSchema>;

export const doctorSchema = v.object({ checks: v.array(checkSchema) });

/** Tokens always expire: a year is the longest. */
export const newTokenSchema = v.strictObject({
  name: v.pipe(v.string(), v.minLength(1), v.maxLength(63)),
  days: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(366)),
});
export type NewToken = Output<typeof newTokenSchema>;

export const tokenSchema = v.object({ id: v.string(), name: v.string(), expiresAt: seconds });
export type TokenView = Output<typeof tokenSchema>;

export const tokensSchema = v.object({ tokens: v.array(tokenSchema) });

export const issuedTokenSchema = v.object({
  ...tokenSchema.entries,
  token: v.pipe(v.string(), v.description('Given once')),
});
export type IssuedToken = Output<typeof issuedTokenSchema>;

export const devicesSchema = v.object({ devices: v.array(deviceSchema) });

export const revertedSchema = v.object({ commit: commitSchema });
