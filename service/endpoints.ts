/**
 * Where this machine can be reached: the addresses of its interfaces, as `ip` tells them, now and
 * after the provider gave other ones.
 */

import { type Clock, type Exec, RuntimeError } from '#runtime';

const MAX_ADDRESSES = 8;
/** Addresses change nightly at some providers, and with every network that a laptop joins. */
const LOOK_MS = 60_000;

type Link = {
  readonly ifname?: string;
  readonly flags?: readonly string[];
  readonly addr_info?: readonly {
    readonly scope?: string;
    readonly local?: string;
    readonly temporary?: boolean;
    readonly deprecated?: boolean;
  }[];
};

/** Global addresses of all interfaces but `except`, public ones first; empty without `ip`. */
export async function ownAddresses(exec: Exec, except: string): Promise<readonly string[]> {
  try {
    const { exitCode, stdout } = await exec('ip', ['-json', 'address', 'show', 'up']);
    return exitCode === 0 ? readAddresses(stdout, except) : [];
  } catch (error) {
    if (error instanceof RuntimeError) return [];
    throw error;
  }
}

/** Reads `ip -json address show`. */
export function readAddresses(json: string, except: string): readonly string[] {
  const links = parse(json).filter(
    ({ ifname, flags }) => ifname !== except && !flags?.includes('LOOPBACK'),
  );
  const addresses = links.flatMap(({ addr_info: infos = [] }) =>
    infos.filter(
      ({ scope, temporary, deprecated }) => scope === 'global' && !temporary && !deprecated,
    ),
  );
  const texts = addresses.map(({ local }) => local).filter((local) => local !== undefined);
  return texts.sort((a, b) => Number(isPrivate(a)) - Number(isPrivate(b))).slice(0, MAX_ADDRESSES);
}

function parse(json: string): readonly Link[] {
  try {
    const links: unknown = JSON.parse(json);
    return Array.isArray(links) ? links : [];
  } catch {
    // BusyBox's `ip` knows no JSON.
    return [];
  }
}

/** Tells whether an address is one that the internet does not route (RFC 1918, 4193, 6598). */
export function isPrivate(address: string): boolean {
  return /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|f[cd])/.test(
    address,
  );
}

/** The endpoints that hold, and the end of looking for others. */
export type Whereabouts = {
  readonly endpoints: () => readonly string[];
  readonly stop: () => void;
};

/**
 * Looks now and then with `find` and tells `moved` of other endpoints than before. What was seen
 * once only does not count: a line that comes and goes would fill the history.
 */
export function followEndpoints(
  clock: Pick<Clock, 'sleep'>,
  find: () => Promise<readonly string[]>,
  first: readonly string[],
  moved: (endpoints: readonly string[]) => void,
): Whereabouts {
  const stopping = new AbortController();
  let current = first;
  let seen = first;

  async function follow(): Promise<void> {
    for (;;) {
      await clock.sleep(LOOK_MS, stopping.signal).catch(() => undefined);
      if (stopping.signal.aborted) return;
      const found = await find();
      const isNews = found.length > 0 && String(found) !== String(current);
      if (isNews && String(found) === String(seen)) {
        current = found;
        moved(found);
      }
      seen = found;
    }
  }
  void follow();
  return { endpoints: () => current, stop: () => stopping.abort() };
}
