/**
 * What one client question may cost (I6): every send, name, alias and byte is paid from one budget,
 * sub-questions included. The numbers follow the peers' after NXNSAttack, CAMP and KeyTrap.
 *
 * Pure: time comes in as an argument. Paying returns a new budget or the name of what ran out.
 */

/** Queries sent for one client question, sub-questions included (Unbound `max-global-quota`, BIND `max-query-count`; NXNSAttack CVE-2020-8616, CAMP). */
export const MAX_SENDS = 200;

/** Queries sent while looking for one name (Unbound `max-sent-count`). */
export const MAX_SENDS_PER_NAME = 32;

/** CNAME and DNAME steps (RFC 1034 §3.6.2 leaves the limit to us; Unbound and BIND: 11). */
export const MAX_ALIASES = 11;

/** Name servers without glue whose addresses are looked up for one delegation (NXNSAttack CVE-2020-8616; Knot Resolver: 5). */
export const MAX_NAMES_PER_DELEGATION = 5;

/** Name-server addresses looked up for one client question in all (CAMP, NRDelegation CVE-2022-3204). */
export const MAX_NAMES_FOLLOWED = 24;

/** Looking up a server needs a server whose address needs a server … (CVE-2022-3204). */
export const MAX_DEPTH = 6;

/** Delegations followed down while looking for one name; a name has at most 127 labels, real trees are below 10. */
export const MAX_REFERRALS = 24;

/** Bytes received for one client question (PowerDNS Recursor `max-bytesperq`: 100 000). */
export const MAX_BYTES = 200_000;

/** Questions without any answer in a row, waited for in full: then the line is down, and the asker should hear so before it gives up (glibc: 5 s). */
export const MAX_TIMEOUTS_IN_A_ROW = 10;

/** Milliseconds until we give up (Knot Resolver: 10 s; RFC 9520 §3.1 asks for a limit). */
export const MAX_MILLISECONDS = 10_000;

/**
 * Signatures checked for one client question, its chain of keys included (KeyTrap CVE-2023-50387;
 * PowerDNS Recursor: 30 for each answer, dnsmasq: 200). A P-384 signature counts as eight; what
 * others count as is in dnssec/algorithms.ts.
 */
export const MAX_SIGNATURES = 160;

/** Of those, how many may turn out wrong (CVE-2025-8677; BIND: 1, dnsmasq: 20). */
export const MAX_FAILED_SIGNATURES = 16;

/** SHA-1 rounds for NSEC3 and digests for DS (CVE-2023-50868, CVE-2026-1519; PowerDNS Recursor: 600 hashes). */
export const MAX_HASHES = 2000;

/** Which limit was reached. */
export type Exhausted =
  | 'too-many-sends'
  | 'too-many-aliases'
  | 'too-many-server-names'
  | 'too-many-bytes'
  | 'too-many-signatures'
  | 'too-many-failed-signatures'
  | 'too-many-hashes'
  | 'too-deep'
  | 'too-many-referrals'
  | 'out-of-time';

/** What is left for one client question. */
export type Budget = {
  readonly sends: number;
  readonly aliases: number;
  readonly names: number;
  readonly bytes: number;
  readonly signatures: number;
  readonly failedSignatures: number;
  readonly hashes: number;
  /** On the monotonic clock, in seconds. */
  readonly deadline: number;
};

/** A full budget for a question that starts at `now`. */
export function fullBudget(now: number): Budget {
  return {
    sends: MAX_SENDS,
    aliases: MAX_ALIASES,
    names: MAX_NAMES_FOLLOWED,
    bytes: MAX_BYTES,
    signatures: MAX_SIGNATURES,
    failedSignatures: MAX_FAILED_SIGNATURES,
    hashes: MAX_HASHES,
    deadline: now + MAX_MILLISECONDS / 1000,
  };
}

const EXHAUSTED = {
  sends: 'too-many-sends',
  aliases: 'too-many-aliases',
  names: 'too-many-server-names',
  bytes: 'too-many-bytes',
  signatures: 'too-many-signatures',
  failedSignatures: 'too-many-failed-signatures',
  hashes: 'too-many-hashes',
} as const satisfies Record<Exclude<keyof Budget, 'deadline'>, Exhausted>;

/** Pays `amount` of one kind. */
export function spend(
  budget: Budget,
  kind: keyof typeof EXHAUSTED,
  amount: number,
): { ok: true; budget: Budget } | { ok: false; reason: Exhausted } {
  const left = budget[kind] - amount;
  if (left < 0) return { ok: false, reason: EXHAUSTED[kind] };
  return { ok: true, budget: { ...budget, [kind]: left } };
}

/** Whether so much is left that a name it does not suffice for is to blame itself: a half of all. */
export function isAmple(budget: Budget, now: number): boolean {
  const full = fullBudget(now);
  return (
    millisecondsLeft(budget, now) >= MAX_MILLISECONDS / 2 &&
    KINDS.every((kind) => kind === 'aliases' || budget[kind] >= full[kind] / 2)
  );
}

const KINDS = Object.keys(EXHAUSTED) as (keyof typeof EXHAUSTED)[];
const SPENT: ReadonlySet<string> = new Set([...Object.values(EXHAUSTED), 'out-of-time']);

/**
 * Whether the reason is only that too little was left. Whoever can make us use up a question's
 * budget and then lead it to somebody else's name must not make that name fail for others.
 */
export const isExhausted = (reason: string): reason is Exhausted => SPENT.has(reason);

/** A budget that synchronous work is paid from; what ran out first is remembered. */
export type Purse = { budget: Budget; exhausted?: Exhausted };

/** Pays from a purse; false when there is not enough, and nothing should be done. */
export function pay(purse: Purse, kind: keyof typeof EXHAUSTED, amount: number): boolean {
  const paid = spend(purse.budget, kind, amount);
  if (paid.ok) purse.budget = paid.budget;
  else purse.exhausted ??= paid.reason;
  return paid.ok;
}

/** Milliseconds until the deadline; zero or less when it has passed. */
export function millisecondsLeft(budget: Budget, now: number): number {
  return (budget.deadline - now) * 1000;
}
