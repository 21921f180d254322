/**
 * Places for connections where there are not enough for everybody: an address has a limit, and when
 * all are taken, somebody has to go, so that nobody is kept out by who opens many and does nothing
 * with them. It is one of the networks that hold most, if they hold more than the newcomer's; of
 * those alike, the connection that asked nothing for longest.
 */

/** Places that connections take, each under a name of its own. */
export type Room = {
  /**
   * Takes a place, and gives what gives it back; undefined when its address has as many as it may.
   * `end` ends the connection when somebody else gets the place.
   */
  enter(name: string, address: string, end: () => void): (() => void) | undefined;
  /** Notes that whoever has this name asks something, and gives what notes that it is answered. */
  ask(name: string): () => void;
  /** Gives back whatever place has this name. */
  leave(name: string): void;
  /** Ends all that have a place. */
  endAll(): void;
};

type Place = {
  readonly address: string;
  readonly source: string;
  readonly site: string;
  readonly end: () => void;
  underWay: number;
};

/** A place and its name. */
type Taken = readonly [string, Place];

/** Makes a room with nobody in it. */
export function createRoom(places: number, perAddress: number): Room {
  /** Those that asked longest ago first. */
  const all = new Map<string, Place>();
  const counts = new Map<string, number>();

  function leave(name: string): void {
    const place = all.get(name);
    if (place === undefined) return;
    all.delete(name);
    const left = (counts.get(place.address) ?? 1) - 1;
    if (left === 0) counts.delete(place.address);
    else counts.set(place.address, left);
  }

  function makeRoom({ site, source }: Place): void {
    const crowd = most([...all], (place) => place.site, site);
    const [first, ...others] = most(crowd, (place) => place.source, source);
    if (first === undefined) return;
    const [name, { end }] = [first, ...others].find(([, { underWay }]) => underWay === 0) ?? first;
    leave(name);
    end();
  }

  return {
    leave,
    enter(name, address, end) {
      // Of another connection, whose end nobody has heard of yet.
      leave(name);
      const count = counts.get(address) ?? 0;
      if (count >= perAddress) return undefined;
      const networks = { source: sourceOf(address), site: siteOf(address) };
      const place = { address, ...networks, end, underWay: 0 };
      if (all.size >= places) makeRoom(place);
      counts.set(address, count + 1);
      all.set(name, place);
      // The name may be somebody else's by the time that an end is heard of.
      return () => {
        if (all.get(name) === place) leave(name);
      };
    },
    ask(name) {
      const place = all.get(name);
      if (place === undefined) return () => undefined;
      all.delete(name);
      all.set(name, place);
      place.underWay++;
      return () => {
        place.underWay--;
      };
    },
    endAll() {
      for (const { end } of all.values()) end();
    },
  };
}

/**
 * The group among `taken` that holds most; our own unless another one holds more than ours with one
 * more; all of them when each holds one and ours none.
 */
function most(
  taken: readonly Taken[],
  groupOf: (place: Place) => string,
  own: string,
): readonly Taken[] {
  const groups = Map.groupBy(taken, ([, place]) => groupOf(place));
  const mine = groups.get(own) ?? [];
  let largest = mine;
  for (const group of groups.values()) {
    if (group.length > Math.max(largest.length, mine.length + 1)) largest = group;
  }
  return largest.length === 0 ? taken : largest;
}

/** What a provider gives to one customer at most: a /24 of IPv4, a /48 of IPv6 (RFC 6177 §2). */
function siteOf(address: string): string {
  return address.includes(':')
    ? sourceOf(address).split(':').slice(0, 3).join(':')
    : address.split('.').slice(0, 3).join('.');
}

/** An IPv4 address, or the /64 that whoever has one IPv6 address there has. */
export function sourceOf(address: string): string {
  if (!address.includes(':')) return address;
  const [head = [], tail = []] = address.split('::').map((half) => half.split(':'));
  const zeros = Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => '0');
  return [...head, ...zeros, ...tail].slice(0, 4).join(':');
}
