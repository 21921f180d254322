/**
 * Datagrams over the network in memory: delayed, lost, never reordered by themselves.
 */

import {
  claim,
  deliver,
  findBound,
  findHost,
  type Host,
  isSameFamily,
  sourceFor,
  type Wire,
} from './fake-hosts.ts';
import type { Endpoint, Random, Udp } from './index.ts';

type Receive = (data: Uint8Array, from: Endpoint) => void;

/** The datagrams of one host. */
export function fakeUdp(wire: Wire, host: Host): Udp {
  return {
    addresses: () =>
      ['127.0.0.1', '::1', ...host.addresses].map((address) => ({ address, link: 0 })),
    async bind(local, receive) {
      const { endpoint, release } = claim(host, 'udp', local, receive);
      let isOpen = true;
      return {
        local: endpoint,
        send(data, to) {
          if (isOpen && isSameFamily(endpoint.address, to.address)) {
            sendDatagram(wire, host, endpoint, data.slice(), to);
          }
        },
        async [Symbol.asyncDispose]() {
          isOpen = false;
          release();
        },
      };
    },
  };
}

function sendDatagram(wire: Wire, host: Host, local: Endpoint, data: Uint8Array, to: Endpoint) {
  const from = { address: sourceFor(host, local.address, to.address), port: local.port };
  const { delayMs, loss, isCut } = wire.quality(from.address, to.address);
  if (isCut || isLost(wire.random, loss)) return;
  deliver(wire.clock, delayMs, () => {
    const receive = findBound(findHost(wire, host, to.address), 'udp', to) as Receive | undefined;
    receive?.(data, from);
  });
}

function isLost(random: Random, loss: number): boolean {
  if (loss === 0) return false;
  return (random(1)[0] ?? 0) / 256 < loss;
}
