import { BlockList } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RealmDevice } from '../project.ts';
import { askersOf, viewOf } from './askers.ts';
import { identify } from './ruling.ts';

const device = (id: string, ipv4: string, ipv6: string) => ({ id, ipv4, ipv6 }) as RealmDevice;
const HOME = {
  self: 'laptop',
  devices: [
    device('laptop', '100.64.0.1', 'fd12:3456::1'),
    device('phone', '100.64.0.2', 'fd12:3456::2'),
    device('odd', '127.0.0.9', 'fd12:3456::3'),
  ],
};

/** What the threads make of the same lists, by a program that is not ours. */
function viewByTable(address: string): string | undefined {
  const { exact, networks } = askersOf(HOME);
  const found = exact.find((each) => each.address === address);
  if (found !== undefined) return found.view;
  const family = address.includes(':') ? 'ipv6' : 'ipv4';
  for (const { address: network, bits, view } of networks) {
    const list = new BlockList();
    list.addSubnet(network, bits, network.includes(':') ? 'ipv6' : 'ipv4');
    if (list.check(address, family)) return view;
  }
  return undefined;
}

const octet = fc.nat(255);
const ipv4 = fc
  .tuple(fc.oneof(octet, fc.constantFrom(10, 127, 169, 172, 192, 100)), octet, octet, octet)
  .map((parts) => parts.join('.'));
const group = fc.nat(0xffff).map((value) => value.toString(16));
const ipv6 = fc
  .tuple(
    fc.constantFrom('fc00', 'fdff', 'fe80', 'febf', 'fec0', '2001', 'fbff', 'ff02'),
    group,
    group,
  )
  .map((parts) => `${parts[0]}:${parts[1]}:1::${parts[2]}`);
const known = fc.constantFrom(
  ...HOME.devices.flatMap((each) => [each.ipv4, each.ipv6]),
  ...['::1', '127.0.0.1', '172.15.255.255', '172.16.0.0', '172.31.255.255', '172.32.0.0'],
  ...['169.254.0.1', '169.255.0.1', '192.168.0.0', '192.169.0.0', '11.0.0.0', '9.255.255.255'],
);

test('the threads see an asker as policy does, whatever the address', () => {
  fc.assert(
    fc.property(fc.oneof(ipv4, ipv6, known), (address) => {
      expect(viewByTable(address)).toBe(viewOf(HOME, { address }));
    }),
    { numRuns: 2_000 },
  );
});

test('who shares a view is the same asker to policy, but for a name in its words', () => {
  const addresses = fc.oneof(ipv4, ipv6, known);
  fc.assert(
    fc.property(addresses, addresses, (one, other) => {
      const view = viewOf(HOME, { address: one });
      if (view === undefined || view !== viewOf(HOME, { address: other })) return;
      const { address: _, ...first } = { address: '', ...identify(HOME, { address: one }) };
      const { address: __, ...second } = { address: '', ...identify(HOME, { address: other }) };
      expect(first).toEqual(second);
    }),
    { numRuns: 2_000 },
  );
});
