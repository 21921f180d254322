/**
 * A network in memory: hosts with addresses, and paths between them that delay, lose or are cut.
 *
 * Everything is decided by the ManualClock and the seed. Without a delay, data arrives in the same
 * instant (no timer); with one, it waits for `advance`. It knows no routers, NAT or bandwidth.
 */

import type { ManualClock } from './fake-clock.ts';
import type { Host, Quality, Wire } from './fake-hosts.ts';
import { fakeHttp } from './fake-http.ts';
import { fakeTcp } from './fake-tcp.ts';
import { fakeTls } from './fake-tls.ts';
import { fakeUdp } from './fake-udp.ts';
import type { Http, Random, Tcp, Tls, Udp } from './index.ts';

/** A network of a test. */
export type FakeNetwork = {
  /** Plugs in a host with these addresses; each host has its own 127.0.0.1 and ::1. */
  join(...addresses: readonly string[]): {
    readonly udp: Udp;
    readonly tcp: Tcp;
    readonly tls: Tls;
    readonly http: Http;
  };
  /** Changes the path between two addresses, both ways; '*' stands for any other. */
  setPath(one: string, other: string, quality: Partial<Quality>): void;
};

const PERFECT: Quality = { delayMs: 0, loss: 0, isCut: false };
const FIRST_EPHEMERAL_PORT = 49_152;

/** Makes an empty network. */
export function fakeNetwork(clock: ManualClock, random: Random): FakeNetwork {
  const hosts: Host[] = [];
  const paths = new Map<string, Quality>();
  const wire: Wire = {
    clock,
    random,
    hosts,
    quality: (from, to) =>
      [`${from} ${to}`, `${from} *`, `* ${to}`, '* *']
        .map((key) => paths.get(key))
        .find((quality) => quality !== undefined) ?? PERFECT,
  };
  return {
    join(...addresses) {
      const host: Host = { addresses, bound: new Map(), nextPort: FIRST_EPHEMERAL_PORT };
      hosts.push(host);
      const tcp = fakeTcp(wire, host);
      return { udp: fakeUdp(wire, host), tcp, tls: fakeTls(tcp), http: fakeHttp(wire, host) };
    },
    setPath(one, other, quality) {
      const changed = { ...(paths.get(`${one} ${other}`) ?? PERFECT), ...quality };
      paths.set(`${one} ${other}`, changed);
      paths.set(`${other} ${one}`, changed);
    },
  };
}
