/**
 * The head of a scenario file: options of the resolver. An option that would change the outcome
 * and that we do not know is a problem; harmless ones are listed.
 */

/** What is wrong with a file, and in which line (from 1). */
export type Problem = { readonly line: number; readonly reason: string };

/** A key to be made, as `key: id zone algorithm [flags]` orders it. */
export type KeyOrder = {
  readonly id: string;
  readonly zone: string;
  readonly algorithm: number;
  readonly flags: number;
};

export type Head = {
  /** Addresses of the root's servers. */
  readonly roots: readonly string[];
  /** DS or DNSKEY records as text. */
  readonly anchors: readonly string[];
  /** Ids of keys that are trust anchors. */
  readonly trusted: readonly string[];
  readonly keys: readonly KeyOrder[];
  /** Seconds since 1970 at the beginning. */
  readonly now: number;
  readonly ipv6: boolean;
  /** RFC 6147, as text. */
  readonly dns64: string | undefined;
  /** Private addresses about public names are taken out. */
  readonly rebindProtection: boolean;
  /** Undefined: both ways. */
  readonly minimise: boolean | undefined;
};

/** Options without a meaning for us, or whose only value is what we do anyway. */
const HARMLESS: ReadonlySet<string> = new Set([
  'server',
  'target-fetch-policy',
  'minimal-responses',
  'module-config',
  'fake-sha1',
  'trust-anchor-signaling',
  'harden-glue',
  'harden-referral-path',
  'rrset-roundrobin',
  'qname-minimisation-strict',
]);

type Draft = { -readonly [Field in keyof Head]: Head[Field] };

const READERS: Readonly<Record<string, (draft: Draft, value: string) => string | undefined>> = {
  'stub-addr': (draft, value) => {
    draft.roots = [...draft.roots, value];
    return undefined;
  },
  'trust-anchor': (draft, value) => {
    draft.anchors = [...draft.anchors, value];
    return undefined;
  },
  'trust-key': (draft, value) => {
    draft.trusted = [...draft.trusted, value];
    return undefined;
  },
  key: (draft, value) => {
    const [id, zone, algorithm, flags = '257'] = value.split(/\s+/);
    if (id === undefined || zone === undefined || !/^1[3-6]$/.test(algorithm ?? '')) {
      return 'a key has an id, a zone and algorithm 13 to 16';
    }
    const key = { id, zone, algorithm: Number(algorithm), flags: Number(flags) };
    draft.keys = [...draft.keys, key];
    return undefined;
  },
  'val-override-date': (draft, value) => {
    const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(value)?.slice(1).map(Number);
    if (parts === undefined) return 'no date';
    const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = parts;
    draft.now = Date.UTC(year, month - 1, day, hour, minute, second) / 1000;
    return undefined;
  },
  'dns64-prefix': (draft, value) => {
    draft.dns64 = value;
    return undefined;
  },
  // All that are private, whichever is named.
  'private-address': (draft) => {
    draft.rebindProtection = true;
    return undefined;
  },
  'do-ip6': (draft, value) => {
    draft.ipv6 = value === 'yes';
    return undefined;
  },
  'query-minimization': (draft, value) => {
    draft.minimise = value === 'on' || value === 'yes';
    return undefined;
  },
};

/** Reads it; what is wrong is added to `problems`. */
export function readHead(
  lines: readonly { readonly number: number; readonly text: string }[],
  problems: Problem[],
): Head {
  const draft: Draft = {
    roots: [],
    anchors: [],
    trusted: [],
    keys: [],
    now: Date.UTC(2026, 0, 15, 12) / 1000,
    ipv6: false,
    dns64: undefined,
    rebindProtection: false,
    minimise: undefined,
  };
  for (const { number, text } of lines) {
    const [option = '', raw = ''] = splitOption(text);
    const read = READERS[option === 'qname-minimisation' ? 'query-minimization' : option];
    if (read === undefined && HARMLESS.has(option)) continue;
    const value = raw.replace(/^"(.*)"$/, '$1');
    const reason = read === undefined ? `unknown option: ${option}` : read(draft, value);
    if (reason !== undefined) problems.push({ line: number, reason });
  }
  if (draft.roots.length === 0) problems.push({ line: 1, reason: 'no stub-addr' });
  return draft;
}

function splitOption(text: string): [string, string] {
  const colon = text.indexOf(':');
  return [text.slice(0, colon), text.slice(colon + 1).trim()];
}
