/**
 * Drift: what the head says and what the system holds, line by line. Pure but for reading the system.
 */

import { type Exec, RuntimeError } from '#runtime';
import type { Json, State } from '#storage';
import { parseDump } from '#tunnels';
import { isSameValue, type UciValue } from './option.ts';
import { optionsOf, type Rendered, type Target } from './render.ts';
import type { UciValues } from './uci.ts';

export type Drift = {
  readonly target: Target;
  readonly line: string;
  readonly kind: 'missing' | 'extra' | 'different';
  readonly wanted?: UciValue;
  readonly found?: UciValue;
  /** Path in the store; absent for what the head knows nothing of. */
  readonly source?: string;
};

/** What a system holds; what could not be read is undefined and has no drift. */
export type System = {
  readonly uci: UciValues | undefined;
  /** AllowedIPs by public key. */
  readonly peers: ReadonlyMap<string, readonly string[]> | undefined;
  /** Tables called `nymote…`, as `family name`. */
  readonly tables: readonly string[] | undefined;
};

/** All differences. */
export function compare(
  lines: readonly Rendered[],
  system: System,
  name: string,
): readonly Drift[] {
  return [
    ...lines.flatMap((line) => driftOf(line, system)),
    ...extraPeers(lines, system, name),
    ...extraTables(lines, system),
  ];
}

function driftOf(rendered: Rendered, { uci, peers }: System): readonly Drift[] {
  const { target, line, value, source, key = '', isOnDemand = false } = rendered;
  const place = { target, line, source, ...(value === undefined ? {} : { wanted: value }) };
  if (target === 'uci' && uci !== undefined) return differenceTo(place, uci.get(line));
  if (target !== 'wg' || peers === undefined) return [];
  const found = peers.get(key);
  return found === undefined && isOnDemand ? [] : differenceTo(place, found);
}

function differenceTo(
  place: Omit<Drift, 'kind' | 'found'>,
  found: UciValue | undefined,
): readonly Drift[] {
  if (isSameValue(place.wanted, found)) return [];
  return [
    found === undefined ? { ...place, kind: 'missing' } : { ...place, kind: 'different', found },
  ];
}

function extraPeers(lines: readonly Rendered[], { peers }: System, name: string): readonly Drift[] {
  const known = new Set(lines.map(({ key }) => key));
  return [...(peers ?? [])]
    .filter(([key]) => !known.has(key))
    .map(([key, found]) => ({ target: 'wg', line: `${name}.peer.${key}`, kind: 'extra', found }));
}

function extraTables(lines: readonly Rendered[], { tables = [] }: System): readonly Drift[] {
  const known = new Set(lines.filter(({ target }) => target === 'nft').map(({ line }) => line));
  return tables
    .filter((table) => !known.has(table))
    .map((table) => ({ target: 'nft', line: table, kind: 'extra' }));
}

type Adoption =
  | { readonly op: 'del'; readonly path: string }
  | { readonly op: 'set'; readonly path: string; readonly value: Json };

/** The ops that make the head say what the system holds; only options are the store's to say. */
export function adoptionOf(
  drifts: readonly Drift[],
  state: State,
  device: string,
): readonly Adoption[] {
  const ids = new Map(optionsOf(state, device).map(({ option, id }) => [option, id]));
  return drifts.flatMap(({ target, line, found }): readonly Adoption[] => {
    const id = ids.get(line);
    if (target !== 'uci' || id === undefined) return [];
    if (found === undefined) return [{ op: 'del', path: `options/${id}` }];
    const value = typeof found === 'string' ? found : [...found];
    return [{ op: 'set', path: `options/${id}/value`, value }];
  });
}

const TIMEOUT_MS = 10_000;
/** nft reads its arguments as one text: names with more in them are left alone. */
const OWN_TABLE = /^[a-z]+ nymote[A-Za-z0-9_]*$/;

/** The peers of an interface; undefined when there is none, or nobody may ask. */
export async function readPeers(exec: Exec, name: string): Promise<System['peers']> {
  // The dump begins with the private key: nothing of it but what is parsed goes anywhere (I2).
  const dump = parseDump(await output(exec, 'wg', ['show', name, 'dump']));
  return dump && new Map(dump.peers.map(({ publicKey, allowedIps }) => [publicKey, allowedIps]));
}

/** Our nft tables; undefined where there is no nft. */
export async function readTables(exec: Exec): Promise<System['tables']> {
  return parseTables(await output(exec, 'nft', ['-j', 'list', 'tables']));
}

/** Reads `nft -j list tables`: those called `nymote…`. */
export function parseTables(json: string): readonly string[] | undefined {
  try {
    const { nftables } = JSON.parse(json) as {
      readonly nftables: readonly { readonly table?: { family: string; name: string } }[];
    };
    return nftables
      .map(({ table }) => `${table?.family} ${table?.name}`)
      .filter((table) => OWN_TABLE.test(table));
  } catch {
    return undefined;
  }
}

async function output(exec: Exec, program: string, args: readonly string[]): Promise<string> {
  try {
    return (await exec(program, args, { timeoutMs: TIMEOUT_MS })).stdout;
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    return '';
  }
}
