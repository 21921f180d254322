/**
 * The zones of the comparison with Unbound: every way to sign, and every way to break it.
 *
 * Lines are as dnssec-signzone writes them with `-O full`: one record each, fields by blanks.
 */

import type { Leaf } from './validation-stand.ts';

/** Who serves a zone. */
export type Host = 'nsd' | 'bind' | 'knot';

/** One zone; `name` is relative to `lab.`, and `kid.p` is delegated by `p`. */
export type LabZone = Leaf & { readonly host: Host };

const HOSTS: readonly Host[] = ['nsd', 'bind', 'knot'];

const ALGORITHMS = { p256: 'ECDSAP256SHA256', rsa: 'RSASHA256', ed: 'ED25519' } as const;

const NSEC3 = ['-3', '-'];
const DENIALS = { nsec: [], nsec3: NSEC3, optout: ['-3', 'cafe', '-A'] } as const;

const P256 = { algorithm: 'ECDSAP256SHA256' } as const;

/** Dates as dnssec-signzone reads them. */
const LONG_AGO = ['-s', '20200101000000', '-e', '20200201000000'];
const LATER = ['-s', '20380101000000', '-e', '20380102000000'];

type Spoil = (lines: readonly string[]) => readonly string[];

const without =
  (pattern: RegExp): Spoil =>
  (lines) =>
    lines.filter((line) => !pattern.test(line));

const replaced =
  (line: RegExp, from: RegExp, to: string): Spoil =>
  (lines) =>
    lines.map((text) => (line.test(text) ? text.replace(from, to) : text));

/** Changes octets in the middle of signatures. */
const garbled = (line: RegExp) => replaced(line, /(\S{8})(\S{4})(\S*)$/, '$1AAAA$3');

/** What is wrong with a zone of its own each. */
const BROKEN: readonly Leaf[] = [
  { name: 'expired', ...P256, sign: LONG_AGO },
  { name: 'expired3', ...P256, sign: [...LONG_AGO, ...NSEC3] },
  { name: 'later', ...P256, sign: LATER },
  { name: 'wrongds', ...P256, ds: (ds) => ds.replace(/[0-9A-F]{8}$/, 'DEADBEEF') },
  { name: 'wrongtag', ...P256, ds: (ds) => ds.replace(/DS \d+ /, 'DS 1 ') },
  { name: 'otherds', ...P256, ds: (ds) => ds.replace(/DS (\d+) 13/, 'DS $1 8') },
  { name: 'noalg', ...P256, ds: (ds) => ds.replace(/DS (\d+) 13/, 'DS $1 200') },
  { name: 'nodigest', ...P256, ds: (ds) => ds.replace(/DS (\d+) 13 2/, 'DS $1 13 200') },
  {
    name: 'mixedds',
    ...P256,
    ds: (ds) => `${ds}\n${ds.replace(/DS (\d+) 13 2/, 'DS $1 13 200')}`,
  },
  {
    name: 'halfds',
    ...P256,
    ds: (ds) => `${ds}\n${ds.replace(/DS (\d+) 13/, 'DS $1 200')}`,
  },
  { name: 'twods', ...P256, ds: (ds) => `${ds}\n${ds.replace(/[0-9A-F]{8}$/, 'DEADBEEF')}` },
  { name: 'island', ...P256, ds: () => undefined },
  { name: 'nokey', ...P256, spoil: without(/\sDNSKEY\s/) },
  { name: 'nokeysig', ...P256, spoil: without(/RRSIG\s+DNSKEY /) },
  { name: 'badkeysig', ...P256, spoil: garbled(/RRSIG\s+DNSKEY /) },
  { name: 'nosig', ...P256, spoil: without(/RRSIG/) },
  { name: 'bare', ...P256, spoil: without(/\s(RRSIG|NSEC|DNSKEY)\s/) },
  { name: 'nonsec', ...P256, spoil: without(/\sNSEC\s/) },
  { name: 'nonsec3', ...P256, sign: NSEC3, spoil: without(/\sNSEC3\s/) },
  { name: 'nsecsig', ...P256, spoil: without(/RRSIG\s+NSEC /) },
  { name: 'nsecbad', ...P256, spoil: garbled(/RRSIG\s+NSEC /) },
  { name: 'nsec3bad', ...P256, sign: NSEC3, spoil: garbled(/RRSIG\s+NSEC3 /) },
  { name: 'soasig', ...P256, spoil: without(/RRSIG\s+SOA /) },
  { name: 'wwwsig', ...P256, spoil: without(/^www.*RRSIG\s+A /) },
  { name: 'wwwbad', ...P256, spoil: garbled(/^www.*RRSIG\s+A /) },
  { name: 'wildsig', ...P256, spoil: garbled(/^\*.*RRSIG\s+TXT /) },
  { name: 'dnamesig', ...P256, spoil: without(/RRSIG\s+DNAME /) },
  { name: 'aliassig', ...P256, spoil: garbled(/RRSIG\s+CNAME /) },
  { name: 'dssig', ...P256, spoil: without(/RRSIG\s+DS /) },
  {
    name: 'tag',
    ...P256,
    spoil: replaced(/^www.*RRSIG\s+A /, / (\d+) (\S+\.lab\.) /, ' 4242 $2 '),
  },
  { name: 'signer', ...P256, spoil: replaced(/^www.*RRSIG\s+A /, / \S+\.lab\. /, ' lab. ') },
  { name: 'labels', ...P256, spoil: replaced(/^www.*RRSIG\s+A /, /A 13 3 /, 'A 13 2 ') },
  { name: 'algorithm', ...P256, spoil: replaced(/^www.*RRSIG\s+A /, /A 13 3 /, 'A 15 3 ') },
  { name: 'changed', ...P256, spoil: replaced(/./, /192\.0\.2\.80/, '192.0.2.66') },
  { name: 'longer', ...P256, spoil: replaced(/^www.*\sA\s/, /\s300\s/, ' 900 ') },
  { name: 'bits', ...P256, spoil: replaced(/\sNSEC\s/, / A RRSIG/, ' A MX RRSIG') },
  { name: 'noflag', ...P256, spoil: replaced(/\sDNSKEY\s/, /DNSKEY\s+257/, 'DNSKEY 1') },
  { name: 'revoked', ...P256, spoil: replaced(/\sDNSKEY\s/, /DNSKEY\s+257/, 'DNSKEY 385') },
  { name: 'protocol', ...P256, spoil: replaced(/\sDNSKEY\s/, /DNSKEY\s+257 3/, 'DNSKEY 257 4') },
  { name: 'salted', ...P256, sign: ['-3', 'aabbccdd', '-H', '12'] },
  { name: 'many', ...P256, sign: ['-3', '-', '-H', '150'] },
  { name: 'toomany', ...P256, sign: NSEC3, spoil: replaced(/\sNSEC3\s/, /1 0 0 -/, '1 0 200 -') },
  { name: 'p384', algorithm: 'ECDSAP384SHA384' },
  { name: 'ed448', algorithm: 'ED448' },
];

const hostAt = (index: number): Host => HOSTS[index % HOSTS.length] ?? 'nsd';

const SOUND: readonly LabZone[] = Object.entries(ALGORITHMS).flatMap(([key, algorithm], row) =>
  Object.entries(DENIALS).map(([denial, sign], column) => {
    return { name: `${key}-${denial}`, algorithm, sign, host: hostAt(row + column) };
  }),
);

const PLAIN: readonly LabZone[] = HOSTS.map((host) => ({ name: `plain-${host}`, host }));

/** Zones below zones: signed, unsigned, and broken, on the parent's server and on another. */
const KIDS: readonly LabZone[] = SOUND.flatMap(({ name }, index) => [
  { name: `kid.${name}`, ...P256, host: hostAt(index) },
  { name: `free.${name}`, host: hostAt(index + 1) },
]);

const BELOW: readonly LabZone[] = [
  { name: 'kid.dssig', ...P256, host: 'bind' },
  { name: 'kid.island', ...P256, host: 'knot' },
  { name: 'kid.plain-nsd', ...P256, host: 'nsd' },
  { name: 'kid.expired', ...P256, host: 'nsd' },
  { name: 'free.nonsec', host: 'knot' },
  { name: 'free.nonsec3', host: 'nsd' },
];

/** All of them, parents before their children. */
export const ZONES: readonly LabZone[] = [
  ...SOUND,
  ...PLAIN,
  ...BROKEN.map((leaf, index) => ({ ...leaf, host: hostAt(index) })),
  ...KIDS,
  ...BELOW,
];
