/**
 * The zones of the attack bench, signed by BIND's programs: one that is honest, and some that cost
 * whoever validates them as much as can be had by their owner.
 */

import { randomBytes } from 'node:crypto';
import { parseRecord } from '#resolver';
import { LAB, LEAVES, ROOT, writeZone } from '../conformance/validation-stand.ts';

/** Names of the honest zone: `h<n>.z0.lab.`. */
const HOSTS = 8_000;
/** Signatures that are wrong, for each set. */
export const WRONG_SIGNATURES = 64;
/** Keys that share one tag. */
export const TWINS = 40;

/** Zones that the third of the name servers has. */
export const LEAF_ZONES = ['z0.lab.', 'nsec3.lab.', 'keytrap.lab.', 'twins.lab.'];

/** Fifty labels that exist. */
export const DEEP = Array.from({ length: 50 }, () => 'a').join('.');

const P256 = { algorithm: 'ECDSAP256SHA256' };

/** Writes all zones; the root's DS. `evil` is where `evil.lab.` lives. */
export async function signAll(folder: string, evil: string): Promise<string> {
  const hosts = Array.from(
    { length: HOSTS },
    (_, host) => `h${host} AAAA 2001:db8::${host % 9999}`,
  );
  const zone = (name: string, lines: readonly string[], more: object = {}) =>
    writeZone(folder, name, ['@ NS ns', `ns A ${LEAVES}`, ...lines], { ...P256, ...more });
  const wild = '*.wild TXT "x"';
  const { keys, tag } = twins();
  const delegations = [
    await zone('z0.lab.', hosts),
    await zone('nsec3.lab.', [`${DEEP} A 192.0.2.1`], { sign: ['-3', 'aabbccdd', '-H', '150'] }),
    await zone('keytrap.lab.', [wild], { spoil: (lines: Lines) => withWrongSignatures(lines) }),
    await zone('twins.lab.', [wild, ...keys], {
      algorithm: 'ED25519',
      spoil: (lines: Lines) => withWrongSignatures(lines, tag),
    }),
    ...LEAF_ZONES.flatMap((apex) => [`${apex} NS ns.${apex}`, `ns.${apex} A ${LEAVES}`]),
    ...['evil NS ns.evil', `ns.evil A ${evil}`],
  ];
  const below = delegations.map((line) => line ?? '');
  const lab = await writeZone(folder, 'lab.', ['@ NS ns', `ns A ${LAB}`, ...below], P256);
  const root = ['@ NS ns', `ns A ${ROOT}`, 'lab NS ns.lab', `ns.lab A ${LAB}`, lab ?? ''];
  return (await writeZone(folder, '.', root, P256)) ?? '';
}

type Lines = readonly string[];

/**
 * Ed25519 keys with one tag: the tag is a sum of words (RFC 4034 appendix B), so words change places.
 * Any 32 octets are taken for a key, and half of them are points of the curve.
 */
function twins(): { readonly keys: readonly string[]; readonly tag: number } {
  const first = randomBytes(32);
  const keys = Array.from({ length: TWINS }, (_, index) => {
    const key = Buffer.from(first);
    const [a, b] = [(index % 15) + 1, Math.floor(index / 15)];
    for (const [from, to] of [
      [0, a],
      [a, b],
    ] as const) {
      const word = key.readUInt16BE(2 * from);
      key.writeUInt16BE(key.readUInt16BE(2 * to), 2 * from);
      key.writeUInt16BE(word, 2 * to);
    }
    return `@ DNSKEY 256 3 15 ${key.toString('base64')}`;
  });
  return { keys: [...new Set(keys)], tag: tagOf(keys[0] ?? '') };
}

function tagOf(line: string): number {
  const parsed = parseRecord(line.replace('@', 'twins.lab.'), { ttl: 300 });
  if (!parsed.ok) throw new Error(`${line}: ${parsed.reason}`);
  let sum = 0;
  for (const [at, octet] of parsed.record.rdata.entries()) sum += at % 2 === 0 ? octet << 8 : octet;
  return (sum + (sum >> 16)) & 0xffff;
}

/** In place of the wildcard's signature many that look like it, perhaps of another key. */
function withWrongSignatures(lines: Lines, tag?: number): Lines {
  return lines.flatMap((line) => {
    const signature = /^\*.*RRSIG\s+TXT /.test(line) ? line : undefined;
    if (signature === undefined) return [line];
    const claimed =
      tag === undefined ? signature : signature.replace(/(\d{14}\s+\d{14}\s+)\d+/, `$1${tag}`);
    return Array.from({ length: WRONG_SIGNATURES }, (_, index) =>
      claimed.replace(/(\S{8})\S{4}(\S*)$/, `$1${(index + 4096).toString(16)}$2`),
    );
  });
}
