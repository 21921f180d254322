/**
 * What is told about the root's trust anchors, so that those who change the root's keys can see
 * who would be left behind: key tags to the root's servers, and the sentinel to who asks for it.
 *
 * @see RFC 8145 §5: `_ta-4f66-9728.` as a question, once for each time the root's keys are fetched
 * @see RFC 8509 §3: `root-key-sentinel-is-ta-20326` and `root-key-sentinel-not-ta-20326`
 */

import { keyTag } from '../dnssec/algorithms.ts';
import type { Anchors } from '../dnssec/anchors.ts';
import { type Name, prepend, ROOT } from '../message/name.ts';
import { decodeRdataAs } from '../message/rdata.ts';
import { TYPE } from '../message/type.ts';
import { fullBudget } from '../recursion/budget.ts';
import type { Recursion } from '../recursion/recursion.ts';
import type { Judged, Validation } from '../recursion/validation.ts';

/** Tags in one signal: a name has room for no more in a label (RFC 8145 §5.1). */
const MAX_TAGS = 12;

/** The tags of the root's anchors, ascending; undefined when it has none. */
export function rootKeyTags({ positive }: Anchors): readonly number[] | undefined {
  const root = positive.get(ROOT.key);
  if (root === undefined) return undefined;
  const digested = root.digests.flatMap((rdata) => decodeRdataAs('DS', rdata)?.keyTag ?? []);
  const tags = new Set([...digested, ...root.keys.map(keyTag)]);
  return [...tags].toSorted((one, other) => one - other);
}

/** The name that tells the tags (RFC 8145 §5.1). */
export function keyTagName(tags: readonly number[]): Name | undefined {
  const hex = tags.slice(0, MAX_TAGS).map((tag) => tag.toString(16).padStart(4, '0'));
  return prepend(['_ta', ...hex].join('-'), ROOT);
}

/** A recursion that tells the root which anchors we have whenever its keys were fetched. */
export function withKeyTagSignal(
  recursion: Recursion,
  anchors: Anchors,
  /** Monotonic seconds. */
  now: () => number,
): Recursion {
  return {
    async resolve(name, type, budget, avoid) {
      const resolved = await recursion.resolve(name, type, budget, avoid);
      const isFetched = resolved.from === 'recursion' && resolved.outcome.kind === 'answer';
      if (type === TYPE.DNSKEY && name.key === ROOT.key && isFetched) {
        const tags = rootKeyTags(anchors);
        const signal = tags && keyTagName(tags);
        // Nobody waits for it, and what comes back is of no interest (§5.2).
        if (signal) void recursion.resolve(signal, TYPE.NULL, fullBudget(now())).catch(() => {});
      }
      return resolved;
    },
    get inFlight() {
      return recursion.inFlight;
    },
  };
}

const SENTINEL = /^root-key-sentinel-(is|not)-ta-(\d{5})$/i;

/** A validation that answers SERVFAIL where the sentinel says that an anchor is, or is not, there. */
export function withSentinel(
  validation: Pick<Validation, 'resolve'>,
  anchors: Anchors,
): Pick<Validation, 'resolve'> {
  return {
    resolve(name, type, budget, unchecked) {
      const isAddress = type === TYPE.A || type === TYPE.AAAA;
      const told = isAddress && !unchecked ? readSentinel(name) : undefined;
      const resolving = validation.resolve(name, type, budget, unchecked);
      // Nearly all questions go this way.
      return told === undefined
        ? resolving
        : resolving.then((judged) => held(judged, told, anchors));
    },
  };
}

type Told = { readonly tag: number; readonly isThere: boolean };

function held(judged: Judged, { tag, isThere }: Told, anchors: Anchors): Judged {
  const tags = rootKeyTags(anchors);
  if (!isSecureAnswer(judged) || tags === undefined || tags.includes(tag) === isThere)
    return judged;
  const { outcome: _, judgement: __, ...rest } = judged;
  return { ...rest, outcome: { kind: 'failure', reason: 'key-sentinel' } };
}

/** RFC 8509 §3.1: only what was found and validated is changed. */
function isSecureAnswer({ outcome, judgement }: Judged): boolean {
  const isFound = outcome.kind === 'answer' || outcome.kind === 'alias';
  return isFound && judgement?.state === 'secure';
}

const utf8 = new TextDecoder();

/** What the leftmost label asks about. */
function readSentinel({ wire }: Name): Told | undefined {
  const length = wire[0] ?? 0;
  // Looked at for every address asked for: the length rules most of them out.
  if (length !== IS_TA_LENGTH && length !== NOT_TA_LENGTH) return undefined;
  const [, word, tag] = SENTINEL.exec(utf8.decode(wire.subarray(1, 1 + length))) ?? [];
  return tag === undefined
    ? undefined
    : { tag: Number(tag), isThere: word?.toLowerCase() === 'is' };
}

const IS_TA_LENGTH = 'root-key-sentinel-is-ta-00000'.length;
const NOT_TA_LENGTH = 'root-key-sentinel-not-ta-00000'.length;
