/**
 * Places for connections where there are not enough for everybody: an address has a limit, and when
 * all are taken, the network that holds most gives up its oldest for one that holds less. So who
 * opens many and does nothing with them keeps nobody else out.
 */

/** Places that connections take, each under a name of its own. */
export type Room = {
  /**
   * Takes a place, and gives what gives it back; undefined when there is none. `end` ends the
   * connection when somebody else gets it.
   */
  enter(name: string, address: string, end: () => void): (() => void) | undefined;
  /** Gives back whatever place has this name. */
  leave(name: string): void;
  /** Ends all that have a place. */
  endAll(): void;
};

type Place = { readonly address: string; readonly end: () => void };

/** Places by name, the oldest first. */
type Places = Map<string, Place>;

/** Makes a room with nobody in it. */
export function createRoom(places: number, perAddress: number): Room {
  const all: Places = new Map();
  const networks = new Map<string, Places>();
  const counts = new Map<string, number>();

  function leave(name: string): void {
    const place = all.get(name);
    if (place === undefined) return;
    const { address } = place;
    all.delete(name);
    const left = (counts.get(address) ?? 1) - 1;
    if (left === 0) counts.delete(address);
    else counts.set(address, left);
    const network = networks.get(sourceOf(address));
    network?.delete(name);
    if (network?.size === 0) networks.delete(sourceOf(address));
  }

  /** Makes room at the expense of whoever holds most; false when that is hardly more than `mine`. */
  function makeRoom(mine: number): boolean {
    let most: Places = new Map();
    for (const network of networks.values()) if (network.size > most.size) most = network;
    const [oldest] = most;
    if (oldest === undefined || most.size <= mine + 1) return false;
    const [name, { end }] = oldest;
    leave(name);
    end();
    return true;
  }

  return {
    leave,
    enter(name, address, end) {
      // Of another connection, whose end nobody has heard of yet.
      leave(name);
      const count = counts.get(address) ?? 0;
      if (count >= perAddress) return undefined;
      const source = sourceOf(address);
      if (all.size >= places && !makeRoom(networks.get(source)?.size ?? 0)) return undefined;
      const network = networks.get(source) ?? new Map();
      const place = { address, end };
      networks.set(source, network.set(name, place));
      counts.set(address, count + 1);
      all.set(name, place);
      // The name may be somebody else's by the time that an end is heard of.
      return () => {
        if (all.get(name) === place) leave(name);
      };
    },
    endAll() {
      for (const { end } of all.values()) end();
    },
  };
}

/** An IPv4 address, or the /64 that whoever has one IPv6 address there has. */
export function sourceOf(address: string): string {
  if (!address.includes(':')) return address;
  const [head = [], tail = []] = address.split('::').map((half) => half.split(':'));
  const zeros = Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => '0');
  return [...head, ...zeros, ...tail].slice(0, 4).join(':');
}
