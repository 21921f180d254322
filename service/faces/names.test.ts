/** Names and what needs two owners, through the command line of a house in memory. */

import { expect, test } from 'vitest';
import { twoHomes } from '../homes.fixture.ts';

test('records of names: spellings, refusals, and what is left', async () => {
  const { a } = twoHomes();
  await using _nymote = await a.start();
  const lines = [
    { line: 'name set www AAAA FD00:0::7', exit: 0, says: 'www AAAA is', why: 'a record' },
    { line: 'name set WWW.laptop. A 192.0.2.1', exit: 0, says: 'is', why: 'case, and a last dot' },
    { line: 'name set www aaaa fd00::8 --add', exit: 0, says: 'is', why: 'beside' },
    { line: 'name set www AAAA fd00::7 --add', exit: 0, says: 'is', why: 'nothing new' },
    { line: 'name set mail CNAME www', exit: 0, says: 'is', why: 'one word is a name of the zone' },
    { line: 'name set ftp CNAME www.example.org', exit: 0, says: 'is', why: 'dots: it is whole' },
    { line: 'name set * TXT x', exit: 0, says: 'is', why: 'a wildcard' },
    { line: 'name set www A x', exit: 1, says: "'x' is not what A records say", why: 'bad data' },
    { line: 'name set www FOO x', exit: 1, says: 'FOO is no type', why: 'bad type' },
    { line: 'name set www CNAME b', exit: 1, says: 'cname-beside-other-data', why: 'the zone' },
    { line: 'name set a/b A 192.0.2.1', exit: 1, says: 'not a name', why: 'bad owner' },
    { line: 'name set www A 192.0.2.1 --ttl x', exit: 2, says: 'no number', why: 'usage' },
    { line: 'name set www A 192.0.2.1 --ttl 999999', exit: 1, says: 'ttl', why: 'a week at most' },
    { line: 'name remove www A', exit: 1, says: 'no such A records', why: 'nothing there' },
    { line: 'name remove www AAAA --value fd00::8', exit: 0, says: 'removed', why: 'one of two' },
    { line: 'name remove ftp', exit: 0, says: 'removed', why: 'all' },
  ];
  for (const { line, exit, says, why } of lines) {
    const { exitCode, stdout, stderr } = await a.run(line);
    expect([exitCode, `${stdout}${stderr}`], `${line}: ${why}`).toEqual([
      exit,
      expect.stringContaining(says),
    ]);
  }
  const { names } = await a.json('name list');
  expect(
    (names as { owner: string; records: { type: string; data: string }[] }[]).map(
      ({ owner, records }) => `${owner} ${records.map(({ data }) => data).join(' ')}`,
    ),
  ).toEqual(['* "x"', 'mail www.alice.nymote.', 'www fd00::7', 'www.laptop 192.0.2.1']);
});

test('one owner cannot ask for two', async () => {
  const { a } = twoHomes();
  await using _nymote = await a.start();
  const { exitCode, stderr } = await a.run('proposals --require rules');
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining('only one owner')]);
  expect((await a.run('approve x.1')).stderr).toContain('There is no proposal x.1.');
  expect((await a.run('late dismiss x')).stderr).toContain('There are no late changes of x.');
  expect((await a.run('resolve rules/x/effect --value 1')).stderr).toContain('not in conflict');
  expect((await a.run('resolve rules/x/effect')).exitCode).toBe(2);
});
