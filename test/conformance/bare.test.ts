/**
 * `nymote resolver` as conformance suites drive it: a private signed root, zones broken in every
 * way, a wall clock that is moved, and dig in front.
 */

import { existsSync } from 'node:fs';
import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { takePort } from '../suites/ports.ts';
import { PATIENCE } from '../suites/waiting.ts';
import {
  type Bare,
  type Internet,
  LAB,
  LEAVES,
  openInternet,
  ROOT,
  startBare,
} from './bare-stand.ts';
import { findPorts, nymote, runProgram, startService } from './service-stand.ts';

let internet: Internet;
let bare: Bare;

beforeAll(async () => {
  internet = await openInternet();
  bare = await startBare(internet.folder, internet.settings);
});
afterAll(async () => {
  await bare?.[Symbol.asyncDispose]();
  await internet?.[Symbol.asyncDispose]();
});

/** A wall clock of its own; timers go on as ever. */
function faked(): Record<string, string> {
  const library = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/faketime/libfaketimeMT.so.1`;
  if (!existsSync(library)) throw new Error('install the Debian package libfaketime');
  return { LD_PRELOAD: library, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
}

/** All of it at once: the program looks whenever it likes. */
async function moveClock(file: string, by: string): Promise<void> {
  await writeFile(`${file}.new`, `${by}\n`);
  await rename(`${file}.new`, file);
}

const AD = /flags:[^;]* ad[ ;]/;

/** A server that was too busy to answer is another error, for a while. */
const untilFailsWith = (ede: number, ask: () => Promise<string>) =>
  expect.poll(ask, PATIENCE).toMatch(new RegExp(`status: SERVFAIL[^]*EDE: ${ede} \\(`));

test.each([
  { name: 'www.good.lab', why: 'an address' },
  { name: 'no.good.lab', why: 'a denial' },
])('AD for $name: $why', async ({ name }) => {
  expect(await bare.dig(name, 'A', '+dnssec')).toMatch(AD);
  expect(await bare.dig(name, 'A', '+dnssec', '+tcp')).toMatch(AD);
});

test.each([
  { at: ROOT, zone: '.', says: 'BADCOOKIE', why: 'BIND answers nobody without its cookie' },
  { at: LAB, zone: 'lab.', says: 'COOKIE: [0-9a-f]{16}01', why: 'NSD gives one' },
  { at: LEAVES, zone: 'good.lab.', says: 'COOKIE: [0-9a-f]{16}01', why: 'Knot gives one' },
])('what was resolved here came by cookies: $why', async ({ at, zone, says }) => {
  const args = [`@${at}`, '-p', String(internet.port), zone, 'SOA', '+norec', '+nobadcookie'];
  expect((await runProgram('dig', args)).stdout).toMatch(new RegExp(says));
});

test('no AD for what is not signed', async () => {
  const answer = await bare.dig('www.plain.lab', 'A', '+dnssec');
  expect(answer).toContain('192.0.2.80');
  expect(answer).not.toMatch(AD);
});

test.each([
  { name: 'www.expired.lab', ede: 7, why: 'signatures of long ago' },
  { name: 'www.later.lab', ede: 8, why: 'signatures of tomorrow' },
  { name: 'www.wrongds.lab', ede: 9, why: 'a DS of another key' },
  { name: 'www.unsigned.lab', ede: 10, why: 'no signatures' },
  { name: 'www.changed.lab', ede: 6, why: 'an address that was not signed' },
  { name: 'no.nonsec.lab', ede: 12, why: 'a denial without proof' },
])('$name is SERVFAIL with EDE $ede: $why', async ({ name, ede }) => {
  await untilFailsWith(ede, () => bare.dig(name, 'A'));
});

test('a negative trust anchor lets a broken zone through', async () => {
  const settings = { ...internet.settings, negativeTrustAnchors: ['expired.lab'] };
  await using other = await startBare(internet.folder, settings);
  const answer = await other.dig('www.expired.lab', 'A', '+dnssec');
  expect(answer).toContain('192.0.2.80');
  expect(answer).not.toMatch(AD);
});

test('a private root without its anchor is not validated, and that is said', async () => {
  const { trustAnchors: _, ...settings } = internet.settings;
  await using other = await startBare(internet.folder, settings);
  expect(await other.dig('www.expired.lab', 'A')).toContain('192.0.2.80');
  expect(other.said()).toMatch(/^warn not-validating/m);
  expect(bare.said()).not.toContain('not-validating');
});

test('an anchor for a zone below, and none for the root', async () => {
  const settings = { ...internet.settings, trustAnchors: [internet.goodAnchor] };
  await using other = await startBare(internet.folder, settings);
  expect(await other.dig('www.good.lab', 'A', '+dnssec')).toMatch(AD);
  expect(await other.dig('www.expired.lab', 'A')).toContain('192.0.2.80');
});

test('a stub zone: another nymote, with its anchor, gives AD; nothing else of its realm is asked', async () => {
  const place = { data: join(internet.folder, 'contact'), ports: await findPorts() };
  await using contact = await startService(place);
  const trustAnchors = [(await contact.run('zone', 'anchor', '--format', 'ds')).stdout.trim()];
  const addresses = [`127.0.0.1:${place.ports.dns}`];
  const stub = { 'alice.nymote': { addresses, trustAnchors } };
  const settings = { ...internet.settings, localZones: true, stub };
  await using other = await startBare(internet.folder, settings);
  const answer = await other.dig('laptop.alice.nymote', 'A', '+dnssec');
  expect(answer).toMatch(/\sA\s+100\./);
  expect(answer).toMatch(AD);
  expect(await other.dig('laptop.bob.nymote', 'A')).toContain('EDE: 29: ');
  expect(await other.dig('www.good.lab', 'A', '+dnssec')).toMatch(AD);
});

test('a stub zone whose anchor is another key’s is SERVFAIL with EDE 9', async () => {
  const wrong = internet.goodAnchor.replace(/[0-9A-F]{8}$/, 'DEADBEEF');
  const addresses = `${LEAVES}:${internet.port}`;
  const stub = { 'good.lab': { addresses, trustAnchors: [wrong] } };
  await using other = await startBare(internet.folder, { ...internet.settings, stub });
  await untilFailsWith(9, () => other.dig('www.good.lab', 'A'));
});

test('one zone is forwarded, the rest is not', async () => {
  const forward = { 'good.lab': `127.0.0.1:${bare.port}` };
  const settings = { ...internet.settings, forward, logLevel: 'debug' };
  await using other = await startBare(internet.folder, settings);
  expect(await other.dig('www.good.lab', 'A', '+dnssec')).toMatch(AD);
  expect(await other.dig('www.plain.lab', 'A')).toContain('192.0.2.80');
  await other.says(/name=www\.good\.lab\..* from=forward /);
  await other.says(/name=www\.plain\.lab\..* from=recursion /);
});

test('what a forwarder keeps back as bogus has its reason here too', async () => {
  const forward = `127.0.0.1:${bare.port}`;
  await using other = await startBare(internet.folder, { ...internet.settings, forward });
  await untilFailsWith(7, () => other.dig('www.expired.lab', 'A'));
  await using trusting = await startBare(internet.folder, {
    ...internet.settings,
    forward,
    trustAnchors: [],
  });
  // Who does not validate relies on the forwarder, which is not asked to let everything through.
  expect(await trusting.dig('www.expired.lab', 'A')).toContain('status: SERVFAIL');
});

test('a zone that the root denies with its NSEC is there all the same when it is a stub', async () => {
  const stub = { 'far.nowhere': `${LEAVES}:${internet.port}` };
  await using other = await startBare(internet.folder, { ...internet.settings, stub });
  expect(await other.dig('www.nowhere', 'A', '+dnssec')).toMatch(/status: NXDOMAIN/);
  // Knot has no such zone, and says so: it was asked.
  expect(await other.dig('www.far.nowhere', 'A')).toContain('status: SERVFAIL');
});

test('private addresses about public names are taken out with EDE 15, but for exceptions', async () => {
  const settings = { ...internet.settings, rebindProtection: { except: ['plain.lab'] } };
  await using other = await startBare(internet.folder, settings);
  const answer = await other.dig('inside.good.lab', 'A', '+dnssec');
  expect(answer).toContain('ANSWER: 0');
  expect(answer).toContain('EDE: 15 (');
  expect(answer).not.toMatch(AD);
  expect(await other.dig('www.good.lab', 'A', '+dnssec')).toMatch(AD);
  expect(await other.dig('inside.plain.lab', 'A')).toContain('192.168.7.7');
});

test('DNS64: addresses are made when the denial and the data validate', async () => {
  const settings = { ...internet.settings, dns64: '2001:db8:64::/96' };
  await using other = await startBare(internet.folder, settings);
  const made = /www\.good\.lab\.\s.*AAAA\s+2001:db8:64::c000:250\n/;
  const answer = await other.dig('www.good.lab', 'AAAA', '+dnssec');
  expect(answer).toMatch(made);
  expect(answer).toMatch(AD);
  expect(await other.dig('www.good.lab', 'AAAA', '+dnssec', '+cd')).toContain('ANSWER: 0');
  await untilFailsWith(6, () => other.dig('www.changed.lab', 'AAAA'));
  expect(await other.dig('www.expired.lab', 'AAAA')).toContain('status: SERVFAIL');
});

test('DNS64: the prefix that the network’s resolver shows is found out (RFC 7050)', async () => {
  const { settings, folder } = internet;
  const prefix = '2001:db8:64:ff00::/56';
  await using network = await startBare(folder, { ...settings, dns64: prefix });
  const discover = [`127.0.0.1:${network.port}`];
  await using other = await startBare(folder, { ...settings, dns64: { discover } });
  await other.says(/nat64-prefix prefix=2001:db8:64:ff00::\/56/);
  for (const each of [network, other]) {
    expect(await each.dig('www.good.lab', 'AAAA', '+short')).toBe('2001:db8:64:ffc0:0:250::\n');
    const back = await each.dig('-x', '2001:db8:64:ffc0:0:aa::', '+short');
    expect(back).toContain('.in-addr.arpa.');
  }
});

test('a hosts file and a zone file are answered, and followed out of', async () => {
  const hosts = join(internet.folder, 'hosts');
  await writeFile(hosts, '192.168.3.4 nas.home\n');
  const file = join(internet.folder, 'own.zone');
  const lines = ['@ SOA ns host 1 1 1 1 60', 'www A 10.0.0.9', 'out CNAME www.good.lab.'];
  await writeFile(file, ['$TTL 300', ...lines, ''].join('\n'));
  const settings = { ...internet.settings, rebindProtection: true, hosts, zones: { own: file } };
  await using other = await startBare(internet.folder, settings);
  expect(await other.dig('nas.home', 'A', '+short')).toBe('192.168.3.4\n');
  expect(await other.dig('-x', '192.168.3.4', '+short')).toBe('nas.home.\n');
  expect(await other.dig('www.own', 'A', '+short')).toBe('10.0.0.9\n');
  expect(await other.dig('no.own', 'A', '+dnssec')).toMatch(/status: NXDOMAIN/);
  const out = await other.dig('out.own', 'A', '+dnssec');
  expect(out).toContain('192.0.2.80');
  expect(out).not.toMatch(AD);
});

test('priming: the root’s servers are asked who they are, once', async () => {
  // Nobody is at the second address; BIND knows only its own.
  const rootHints = [{ name: 'old.', addresses: ['127.0.0.1', '127.0.0.250'] }];
  const settings = { ...internet.settings, rootHints, priming: true, logLevel: 'debug' };
  await using other = await startBare(internet.folder, settings);
  expect(await other.dig('www.good.lab', 'A', '+dnssec')).toMatch(AD);
  expect(await other.dig('www.plain.lab', 'A')).toContain('192.0.2.80');
  await other.says(/info primed servers=1 ttl=(300|29\d)/);
});

test('TTLs between bounds', async () => {
  const settings = { ...internet.settings, cacheMaxTtl: 40 };
  await using other = await startBare(internet.folder, settings);
  const answer = await other.dig('www.good.lab', 'A', '+noall', '+answer');
  // It may have been some seconds on its way.
  expect(answer).toMatch(/www\.good\.lab\.\s+(40|3\d)\s/);
});

test('a wall clock that is moved moves TTLs and ends signatures', async () => {
  const clock = join(internet.folder, 'clock');
  await moveClock(clock, '+0');
  const env = { ...faked(), FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_NO_CACHE: '1' };
  await using moved = await startBare(internet.folder, internet.settings, env);
  const ask = () => moved.dig('www.good.lab', 'A', '+dnssec');
  const ttl = (answer: string) => Number(/^www\S+\s+(\d+)\s+IN\s+A\s/m.exec(answer)?.[1]);
  const isWhole = (seconds: number) => seconds > 250 && seconds <= 300;
  expect(ttl(await ask())).toSatisfy(isWhole);
  await moveClock(clock, '+200');
  const later = await ask();
  expect(later).toMatch(AD);
  expect(ttl(later)).toBeGreaterThan(0);
  expect(ttl(later)).toBeLessThanOrEqual(100);
  await moveClock(clock, '+60d');
  await untilFailsWith(7, ask);
  await moveClock(clock, '+0');
  const back = await ask();
  expect(back).toMatch(AD);
  expect(ttl(back)).toSatisfy(isWhole);
});

test('a date of long ago is believed: signatures of today are not valid yet', async () => {
  const env = { ...faked(), FAKETIME: '@2007-09-16 13:42:26' };
  await using other = await startBare(internet.folder, internet.settings, env);
  await untilFailsWith(8, () => other.dig('www.good.lab', 'A'));
});

test('root servers of a file, as InterNIC publishes them', async () => {
  const rootHints = join(internet.folder, 'named.root');
  await writeFile(rootHints, `. 3600000 NS NS.\nNS. 3600000 A ${ROOT}\n`);
  await using other = await startBare(internet.folder, { ...internet.settings, rootHints });
  expect(await other.dig('www.good.lab', 'A', '+dnssec')).toMatch(AD);
});

/** Answers that threads repeated, by what Prometheus is told. */
async function repeated(metrics: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
  return Number(/^nymote_dns_repeated_total (\d+)$/m.exec(text)?.[1]);
}

test('datapath: what was recursed for is repeated, what files say is not; a moved clock ends it', async () => {
  const file = join(internet.folder, 'lane.hosts');
  await writeFile(file, '192.0.2.7 nas.good.lab\n');
  const clock = join(internet.folder, 'lane-clock');
  await moveClock(clock, '+0');
  const admin = await takePort();
  const more = { datapath: 'on', hosts: file, metrics: { listen: `127.0.0.1:${admin}` } };
  const env = { ...faked(), FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_NO_CACHE: '1' };
  await using other = await startBare(internet.folder, { ...internet.settings, ...more }, env);
  // A datagram with options, and a cookie is one, is for the main thread.
  const ask = (name: string) => other.dig(name, 'A', '+dnssec', '+nocookie');
  const first = await ask('www.good.lab');
  expect(await repeated(admin)).toBe(0);
  for (const again of [await ask('www.good.lab'), await ask('WWW.good.LAB')]) {
    expect(again).toMatch(AD);
    expect(again).toContain('192.0.2.80');
  }
  expect(first).toMatch(AD);
  await expect.poll(() => repeated(admin), PATIENCE).toBe(2);
  for (const _ of [1, 2, 3]) expect(await ask('nas.good.lab')).toContain('192.0.2.7');
  for (const _ of [1, 2]) expect(await ask('www.expired.lab')).toContain('EDE: 7 (');
  expect(await repeated(admin)).toBe(2);
  await moveClock(clock, '+60d');
  await expect.poll(() => ask('www.good.lab'), PATIENCE).toContain('EDE: 7 (');
});

test('a new root key waits for thirty days, over restarts, in a file that is only ours', async () => {
  const anchorFile = join(internet.folder, 'root.anchors');
  const settings = { ...internet.settings, rfc5011: true, anchorFile };
  const states = async () =>
    (await readFile(anchorFile, 'utf8').catch(() => '')).match(/"[a-z-]+"(?=,\n *"since")/g);
  for (const [day, expected] of [
    [0, ['"add-pend"']],
    [29, ['"add-pend"']],
    [31, ['"valid"']],
  ] as const) {
    const env = { ...faked(), FAKETIME: `+${day}d` };
    await using other = await startBare(internet.folder, settings, env);
    await expect.poll(states, PATIENCE).toEqual(expected);
    expect(await other.dig('ns', 'A', '+dnssec')).toMatch(AD);
  }
  expect((await stat(anchorFile)).mode & 0o777).toBe(0o600);
});

test.each([
  { signal: 'SIGTERM', why: 'a supervisor' },
  { signal: 'SIGHUP', why: 'a terminal that is closed' },
] as const)(
  '$signal ends it with 0; all it said is on standard output: $why',
  async ({ signal }) => {
    const other = await startBare(internet.folder, { ...internet.settings, logLevel: 'debug' });
    await other.dig('www.good.lab', 'A');
    expect(await other.stop(signal)).toBe(0);
    expect(other.said()).toContain(`info listening address=127.0.0.1:${other.port}`);
    expect(other.said()).toMatch(/debug answered .*name=www\.good\.lab\. type=A rcode=NOERROR/);
  },
);

test('settings that are wrong end it with 2, all of them named', async () => {
  const file = join(internet.folder, 'wrong.json');
  await writeFile(
    file,
    '{"listen":"127.0.0.1:1","rootHints":[],"trustAnchor":1,"trustAnchors":["x"]}',
  );
  const ended = await nymote(['resolver', '--config', file]);
  expect(ended).toMatchObject({ exitCode: 2, stdout: '' });
  expect(ended.stderr).toMatch(/unknown setting 'trustAnchor'; accepted: listen, /);
  expect(ended.stderr).toMatch(/rootHints: the list is empty/);
  expect(ended.stderr).toMatch(/trustAnchors\.0: "x" is not a DS/);
});

test('a port that is taken is named, with what can be done', async () => {
  const file = join(internet.folder, 'taken.json');
  await writeFile(file, JSON.stringify({ listen: `127.0.0.1:${bare.port}` }));
  const ended = await nymote(['resolver', '-c', file]);
  expect(ended.exitCode).toBe(1);
  expect(ended.stderr).toMatch(
    /port \d+ is held by .*\n.*choose another address or port: listen\./,
  );
});

test.each([
  { more: { source: '192.0.2.1' }, why: 'to ask from' },
  { more: { listen: '192.0.2.1:5353' }, why: 'to listen at' },
  { more: { metrics: { listen: '192.0.2.1:9153' } }, why: 'for Prometheus' },
])('an address that the machine does not have ends it at once: $why', async ({ more }) => {
  const file = join(internet.folder, 'elsewhere.json');
  await writeFile(file, JSON.stringify({ listen: '127.0.0.1:0', ...internet.settings, ...more }));
  const ended = await nymote(['resolver', '-c', file]);
  expect(ended).toMatchObject({ exitCode: 1, stdout: '' });
  expect(ended.stderr).toMatch(/192\.0\.2\.1.*\n.*No interface of this machine has that address/);
});

test.each([
  { words: ['resolver'], says: '--config FILE', why: 'no file named' },
  { words: ['resolver', 'AAAA', '-c', 'x'], says: 'only for --explain', why: 'a type of nothing' },
  { words: ['resolver', '-c', '/no/such/file'], says: 'no such file', why: 'no file there' },
])('$words: $why', async ({ words, says }) => {
  const ended = await nymote(words);
  expect(ended.exitCode).toBe(2);
  expect(ended.stderr).toContain(says);
});
