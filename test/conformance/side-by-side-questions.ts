/**
 * What is in the zones of the comparison, and what is asked about it: both from a seed.
 */

import type { LabZone } from './side-by-side-zones.ts';

/** A number from 0 up to below `limit`. */
export type Draw = (limit: number) => number;

/** Mulberry32: small, and the same everywhere. */
export function drawsFrom(seed: number): Draw {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

function pick<Item>(draw: Draw, items: readonly Item[]): Item {
  const item = items[draw(items.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

const HOSTS_EACH = 6;
const ALIASES_EACH = 6;

/** Names inside a zone that aliases and questions go to. */
const INSIDE = [
  ...['', 'www', 'www', 'no', 'a.b.no', 'ent', 'deep.ent', 'x.deep.ent', 'under.deep.ent'],
  ...['any.wild', 'x.y.wild', 'wild', '*.wild', 'any.star', 'a.any.gone', 'alias', 'chain'],
  ...['www.moved', 'no.moved', 'moved', 'any.wild.moved', 'a.b.c.d.e.f.g.h.i.j.no', 'loop'],
  ...['ns', 'kid', 'www.kid', 'no.kid', 'free', 'www.free', 'no.free'],
  ...['h0', 'h1', 'h2', 'h3', 'x.h0', 'h9', 'to0', 'to1', 'to2', 'to3', 'to4', 'to5', '-', '_x'],
];

/** Lines of a zone apart from its SOA, name servers and delegations. */
export function contentOf(zone: LabZone, zones: readonly LabZone[], draw: Draw): string[] {
  const away = () => {
    const inside = pick(draw, INSIDE);
    return `${inside === '' ? '' : `${inside}.`}${pick(draw, zones).name}.lab.`;
  };
  const zoneAway = () => `${pick(draw, zones).name}.lab.`;
  const hosts = Array.from({ length: HOSTS_EACH }, (_, host) => `h${host} ${dataFor(draw)}`);
  const aliases = Array.from({ length: ALIASES_EACH }, (_, at) => `to${at} CNAME ${away()}`);
  return [
    `@ TXT "${zone.name}"`,
    '@ MX 10 www',
    'www A 192.0.2.80',
    'www AAAA 2001:db8::80',
    'alias CNAME www',
    `chain CNAME ${away()}`,
    'loop CNAME loop2',
    'loop2 CNAME loop',
    `moved DNAME ${zoneAway()}`,
    '*.wild TXT "wild"',
    '*.wild MX 5 www',
    `*.star CNAME ${away()}`,
    '*.gone CNAME nowhere',
    'deep.ent A 192.0.2.81',
    'cut NS ns.cut',
    'ns.cut A 127.53.0.9',
    ...hosts,
    ...aliases,
  ];
}

function dataFor(draw: Draw): string {
  return pick(draw, [
    'A 192.0.2.7',
    'AAAA 2001:db8::7',
    'MX 10 www',
    'TXT "a" "b"',
    'SRV 0 1 443 www',
    'CAA 0 issue "ca.example"',
    'PTR www',
    'TYPE65280 \\# 3 010203',
    'SSHFP 4 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
    'HTTPS 1 . alpn=h2',
  ]);
}

/** Types that are asked for; the usual ones more often. */
const TYPES = [
  ...['A', 'A', 'A', 'A', 'A', 'AAAA', 'AAAA', 'TXT', 'TXT', 'MX', 'MX', 'NS', 'SOA', 'DS', 'DS'],
  ...['DNSKEY', 'CNAME', 'DNAME', 'PTR', 'SRV', 'CAA', 'SSHFP', 'HTTPS', 'TYPE65280', 'TYPE1234'],
  ...['NSEC', 'NSEC3PARAM', 'TLSA', 'HINFO', 'NAPTR', 'CDS', 'CDNSKEY', 'NULL', 'LOC'],
];

export type Asking = { readonly name: string; readonly type: string };

/** One question. */
export function questionFrom(draw: Draw, zones: readonly LabZone[]): Asking {
  const type = pick(draw, TYPES);
  if (draw(60) === 0) return { name: pick(draw, ['.', 'lab.', 'no.', 'no.lab.', 'x.no.']), type };
  const zone = `${pick(draw, zones).name}.lab.`;
  // Nobody is at home there, but the parent knows that it is not signed.
  if (draw(50) === 0) return { name: `cut.${zone}`, type: 'DS' };
  const inside = draw(12) === 0 ? randomLabels(draw) : pick(draw, INSIDE);
  const name = inside === '' ? zone : `${inside}.${zone}`;
  return { name: draw(4) === 0 ? mixCase(draw, name) : name, type };
}

function randomLabels(draw: Draw): string {
  const label = () => Array.from({ length: 1 + draw(9) }, () => LETTERS[draw(LETTERS.length)]);
  return Array.from({ length: 1 + draw(4) }, () => label().join('')).join('.');
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789_';

function mixCase(draw: Draw, name: string): string {
  return [...name].map((letter) => (draw(2) === 0 ? letter.toUpperCase() : letter)).join('');
}
