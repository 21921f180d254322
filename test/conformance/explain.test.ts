/**
 * `explain` and `/metrics` of the real program, before real authoritative servers and in a household.
 */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { takePort } from '../suites/ports.ts';
import { PATIENCE } from '../suites/waiting.ts';
import { type Internet, LAB, LEAVES, openInternet, startBare } from './bare-stand.ts';
import { findPorts, makeRoom, nymote, type Service, startService } from './service-stand.ts';

describe('the bare resolver', () => {
  let internet: Internet;
  let config: string;

  beforeAll(async () => {
    internet = await openInternet();
    config = join(internet.folder, 'explain.json');
    await writeFile(config, JSON.stringify({ listen: '127.0.0.1:1', ...internet.settings }));
  });
  afterAll(() => internet?.[Symbol.asyncDispose]());

  const explain = (...words: readonly string[]) =>
    nymote(['resolver', '-c', config, '--explain', ...words]);

  test('the walk, the chain with keys and times, the verdict', async () => {
    const { stdout, exitCode } = await explain('www.good.lab');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^www\.good\.lab\. A: NOERROR$/m);
    for (const server of ['127.0.0.1', LAB, LEAVES]) {
      expect(stdout).toContain(`→ ${server}:${internet.port}`);
    }
    expect(stdout).toMatch(/^ {2}\. {2}a signed zone, keys \d+ \(algorithm 13\)/m);
    expect(stdout).toMatch(
      /^ {2}good\.lab\. {2}a signed zone, keys (\d+) \(algorithm 13\)\n {4}its keys are signed by \1, \d{4}-/m,
    );
    expect(stdout).toMatch(/^In short there is an answer; signatures prove it/m);
    expect(stdout).toMatch(/^ {2}Cache {4}before: nothing; after: answer, secure, \d+ s left$/m);
    expect(stdout).toMatch(/^ {2}Verdict {2}secure$/m);
    expect(stdout).toMatch(/^ {2}Signed {3}A by key \d+ of good\.lab\. .*\d{4}-\d\d-\d\dT/m);
  });

  test.each([
    { name: 'www.expired.lab', ede: 7, verdict: 'bogus: signature-expired' },
    { name: 'www.wrongds.lab', ede: 9, verdict: 'bogus: dnskey-missing' },
    { name: 'no.nonsec.lab', ede: 12, verdict: 'bogus: nsec-missing' },
  ])('$name: EDE $ede, $verdict', async ({ name, ede, verdict }) => {
    // A server that was too busy to answer is another error.
    const words = new RegExp(
      `^${name}. A: SERVFAIL \\(EDE ${ede}: [^]*\n {2}Verdict {2}${verdict}\n`,
    );
    await expect.poll(async () => (await explain(name)).stdout, PATIENCE).toMatch(words);
  });

  test('as JSON, and for another type', async () => {
    const told = JSON.parse((await explain('good.lab', 'NS', '--json')).stdout);
    expect(told).toMatchObject({ name: 'good.lab.', type: 'NS', rcode: 'NOERROR', own: false });
    expect(told.names[0]).toMatchObject({ verdict: { state: 'secure' } });
  });

  test.each([
    { zone: 'good.lab', own: false, what: 'answer', why: 'its parent has it' },
    { zone: 'lan', own: true, what: 'no-data', why: 'no parent knows of it' },
  ])('the DS of a zone that is answered here, $zone: $why', async ({ zone, own, what }) => {
    const file = join(internet.folder, `own-${zone}`);
    await writeFile(`${file}.zone`, '@ 300 SOA ns host 1 1 1 1 60\n');
    const settings = { ...internet.settings, zones: { [zone]: `${file}.zone` } };
    await writeFile(file, JSON.stringify({ listen: '127.0.0.1:1', ...settings }));
    const { stdout } = await nymote(['resolver', '-c', file, '--explain', zone, 'DS', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ own, names: [{ result: { what } }] });
  });

  test('and of a household whose domain is in the tree', async () => {
    await using bare = await startBare(internet.folder, internet.settings);
    const data = join(internet.folder, 'household');
    const forward = ['--forward', `127.0.0.1:${bare.port}`, '--validate', 'off'];
    const flags = ['--apex', 'good.lab', ...forward];
    await using service = await startService({ data, ports: await findPorts(), flags });
    const told = await service.json('explain', 'good.lab', 'DS');
    expect(told).toMatchObject({ own: false, names: [{ result: { what: 'answer' } }] });
    expect(await service.dig('good.lab', 'DS', '+short')).toMatch(/^\d+ 13 2 /);
    expect(await service.json('explain', 'good.lab', 'SOA')).toMatchObject({ own: true });
  });

  test('what is no type is told', async () => {
    const ended = await explain('www.good.lab', 'FISH');
    expect(ended).toMatchObject({ exitCode: 2, stdout: '' });
    expect(ended.stderr).toContain('a type such as AAAA');
  });

  test('metrics count what was asked', async () => {
    const admin = await takePort();
    const metrics = { listen: `127.0.0.1:${admin}` };
    await using bare = await startBare(internet.folder, { ...internet.settings, metrics });
    await bare.dig('www.good.lab', 'A', '+dnssec');
    await bare.dig('www.good.lab', 'A', '+dnssec', '+tcp');
    await bare.dig('www.expired.lab', 'A');
    const at = `http://127.0.0.1:${admin}`;
    const counted = async () => (await fetch(`${at}/metrics`)).text();
    await expect.poll(counted, PATIENCE).toMatch(/^nymote_recursion_seconds_count 2$/m);
    const response = await fetch(`${at}/metrics`);
    expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
    const text = await response.text();
    expect(text).toMatch(
      /^nymote_dns_answers_total\{transport="udp",source="recursion",rcode="NOERROR"\} 1$/m,
    );
    expect(text).toMatch(/transport="tcp",source="cache",rcode="NOERROR"\} 1$/m);
    expect(text).toMatch(/^nymote_validation_verdicts_total\{state="bogus"\} 1$/m);
    expect(text).toMatch(/^nymote_recursion_seconds_count 2$/m);
    expect((await fetch(`${at}/`)).status).toBe(404);
    expect((await fetch(`${at}/metrics`, { method: 'POST' })).status).toBe(405);
  });
});

describe('the household', () => {
  let room: Awaited<ReturnType<typeof makeRoom>>;
  let service: Service;

  beforeAll(async () => {
    room = await makeRoom();
    service = await startService({ data: join(room.path, 'data'), ports: await findPorts() });
  });
  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
    await room?.[Symbol.asyncDispose]();
  });

  test('an own name: who may, what the zone has, and that nobody is asked', async () => {
    const { stdout } = await service.run('explain', 'laptop');
    expect(stdout).toMatch(/^laptop\.alice\.nymote\. A: NOERROR$/m);
    expect(stdout).toMatch(/^Ruling {3}\S/m);
    expect(stdout).toContain('Zone     our own');
    expect(stdout).toMatch(/laptop\.alice\.nymote\. \d+ IN A 100\./);
    expect(await service.json('explain', 'no.alice.nymote', 'AAAA')).toMatchObject({
      ...{ rcode: 'NXDOMAIN', own: true, steps: [] },
      ruling: { effect: 'allow' },
    });
  });

  test('a stranger is told not to, and what is no type is refused', async () => {
    const told = await service.json('explain', 'laptop', '--asker', '192.0.2.66');
    expect(told).toMatchObject({ ruling: { effect: 'deny' } });
    expect((await service.run('explain', 'laptop', 'FISH')).stderr).toContain('no type FISH');
  });

  test('metrics for a program of this machine; tunnels and store are among them', async () => {
    const text = await (
      await fetch(`http://127.0.0.1:${service.place.ports.admin}/metrics`)
    ).text();
    expect(text).toMatch(/^nymote_store_head_seq [1-9]\d*$/m);
    expect(text).toMatch(/^nymote_tunnels_up 0$/m);
    expect(text).toMatch(/^nymote_clock_set 1$/m);
  });
});
