import { describe, expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { type BackendOptions, openBackend, TunnelError } from './backend.ts';
import { printKey } from './wg.ts';

const PUBLIC = new Uint8Array(32).fill(1);
const PRIVATE = new Uint8Array(32).fill(2);
const OTHER = printKey(new Uint8Array(32).fill(3));
const PEER = printKey(new Uint8Array(32).fill(4));
const OPTIONS: BackendOptions = {
  interface: 'ny0',
  listenPort: 51_820,
  privateKey: PRIVATE,
  publicKey: PUBLIC,
  mtu: 1_420,
};
type Table = NonNullable<NonNullable<Parameters<typeof fakeRuntime>[0]>['exec']>;
const MISSING = { exitCode: 1, stderr: 'Device "ny0" does not exist.\n' };
const KERNEL: Table = {
  'ip link show': MISSING,
  'ip link add': {},
  'ip link set': {},
  'ip link delete': {},
  'ip address': {},
  'ip -6 route': {},
  'ip -4 route': {},
  'wg set': {},
};
const dumpOf = (publicKey: string) => ({ stdout: `secret\t${publicKey}\t51820\toff\n` });

function open(table: Table, options: Partial<BackendOptions> = {}) {
  const runtime = fakeRuntime({ exec: { ...KERNEL, ...table } });
  const lines = () => runtime.exec.calls.map(({ file, args }) => [file, ...args].join(' '));
  return { runtime, lines, opened: openBackend(runtime, { ...OPTIONS, ...options }) };
}

describe('opening', () => {
  test("the kernel's WireGuard, its key from a file that is gone afterwards (I2)", async () => {
    const { lines, opened, runtime } = open({});
    expect((await opened).kind).toBe('kernel');
    expect(lines().slice(0, 2)).toEqual([
      'ip link show dev ny0',
      'ip link add dev ny0 type wireguard',
    ]);
    expect(lines()[2]).toMatch(/^wg set ny0 listen-port 51820 private-key \/\S+$/);
    expect(lines()[3]).toBe('ip link set dev ny0 mtu 1420 up');
    const path = lines()[2]?.split(' ').at(-1) ?? '';
    expect(await runtime.files.read(path)).toBeUndefined();
    expect(lines().join()).not.toContain(printKey(PRIVATE));
  });

  test('what a crash left is taken over, with its tunnels', async () => {
    const table = { 'ip link show': {}, 'wg show': dumpOf(printKey(PUBLIC)) };
    const { lines, opened } = open(table);
    await opened;
    expect(lines().some((line) => line.startsWith('ip link add'))).toBe(false);
  });

  test.each<[Table, string, string]>([
    [{ 'ip link show': {}, 'wg show': dumpOf(OTHER) }, 'interface-taken', 'another key'],
    [{ 'ip link show': {}, 'wg show': { exitCode: 1 } }, 'interface-taken', 'no WireGuard at all'],
    [
      { 'ip link add': { exitCode: 2, stderr: 'RTNETLINK answers: Operation not permitted\n' } },
      'not-root',
      'no rights',
    ],
    [
      { 'ip link set': { exitCode: 2, stderr: 'RTNETLINK answers: Address already in use\n' } },
      'port-taken',
      'another WireGuard has the port',
    ],
    [
      { 'wg set': { exitCode: 1, stderr: 'Unable to modify interface: Invalid argument\n' } },
      'failed',
      'whatever else',
    ],
  ])('%o: %s, %s', async (table, code) => {
    const { opened } = open(table);
    await expect(opened).rejects.toSatisfy(
      (thrown) => thrown instanceof TunnelError && thrown.code === code,
    );
  });

  test("an interface of somebody else's stays", async () => {
    const { lines, opened } = open({ 'ip link show': {}, 'wg show': dumpOf(OTHER) });
    await opened.catch(() => undefined);
    expect(lines().some((line) => /delete|set/.test(line))).toBe(false);
  });

  test('an interface that cannot be set up is removed again', async () => {
    const { lines, opened } = open({ 'ip link set': { exitCode: 2, stderr: 'no\n' } });
    await opened.catch(() => undefined);
    expect(lines().at(-1)).toBe('ip link delete dev ny0');
  });

  test.each([['-x'], ['a/b'], ['sixteen-letters-'], [''], ['a b']])(
    '%j is no name for an interface, and no argument',
    async (name) => {
      const { lines, opened } = open({}, { interface: name });
      await expect(opened).rejects.toMatchObject({ code: 'bad-interface-name' });
      expect(lines()).toEqual([]);
    },
  );
});

describe('driving', () => {
  test('one peer per call, IPv4 routed by address and only while it is there', async () => {
    const { lines, opened } = open({});
    const backend = await opened;
    const before = lines().length;
    await backend.setPeer({ publicKey: PEER, allowedIps: ['100.64.0.2/32', 'fd00::2/128'] });
    await backend.setPeer({
      publicKey: PEER,
      endpoint: { address: '192.0.2.1', port: 5 },
      keepalive: 25,
    });
    await backend.removePeer(PEER);
    expect(lines().slice(before)).toEqual([
      `wg set ny0 peer ${PEER} allowed-ips 100.64.0.2/32,fd00::2/128`,
      'ip -4 route replace 100.64.0.2/32 dev ny0',
      `wg set ny0 peer ${PEER} endpoint 192.0.2.1:5 persistent-keepalive 25`,
      `wg set ny0 peer ${PEER} remove`,
      'ip -4 route delete 100.64.0.2/32 dev ny0',
    ]);
  });

  test('addresses are set once, and the overlay goes to the interface', async () => {
    const { lines, opened } = open({});
    const backend = await opened;
    const before = lines().length;
    await backend.setAddresses(['fd00:1:2::1', '100.64.0.1'], 'fd00:1:2::/48');
    await backend.setAddresses(['fd00:1:2::1'], 'fd00:1:2::/48');
    expect(lines().slice(before)).toEqual([
      'ip address replace fd00:1:2::1/128 dev ny0',
      'ip address replace 100.64.0.1/32 dev ny0',
      'ip -6 route replace fd00:1:2::/64 dev ny0',
      'ip address delete 100.64.0.1/32 dev ny0',
    ]);
  });

  test('a machine without IPv6 keeps its IPv4', async () => {
    const { opened, runtime } = open({
      'ip address replace fd00:1:2::1/128': { exitCode: 2, stderr: 'Permission denied\n' },
    });
    await (await opened).setAddresses(['fd00:1:2::1', '100.64.0.1'], 'fd00:1:2::/48');
    expect(runtime.log.lines.map(({ event }) => event)).toContain('tunnel-address-refused');
  });

  test('what is no dump fails, without its text (I2)', async () => {
    const { opened } = open({ 'wg show': { stdout: 'secret' } });
    await expect((await opened).observe()).rejects.toThrow(
      /^“wg show ny0 dump” printed something else$/,
    );
  });
});
