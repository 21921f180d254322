import { expect, test } from 'vitest';
import { parseName } from '#resolver';
import { readBareFile } from './bare.ts';

const encoder = new TextEncoder();

function filesOf(contents: Readonly<Record<string, string>>) {
  return {
    read: async (path: string) => {
      const text = contents[path];
      return text === undefined ? undefined : encoder.encode(text);
    },
  };
}

const ZONE = '@ 300 SOA ns host 1 1 1 1 60';
const HINTS = '. 3600000 NS A.ROOT.\nA.ROOT. 3600000 A 192.0.2.53\n';
const ANCHOR = '. DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D';
const settings = (more: object) => JSON.stringify({ listen: '127.0.0.1:53', ...more });

test.each([
  { more: {}, files: {}, problem: undefined, why: 'no files' },
  { more: { hosts: 'h' }, files: { h: '127.0.0.1 a' }, problem: undefined, why: 'a hosts file' },
  { more: { zones: { lab: 'z' } }, files: { z: ZONE }, problem: undefined, why: 'a zone file' },
  { more: { hosts: 'h' }, files: {}, problem: 'h: there is no such file', why: 'no such file' },
  {
    more: { zones: { lab: 'z' } },
    files: {},
    problem: 'z: there is no such file',
    why: 'nor here',
  },
  { more: { rootHints: 'r' }, files: { r: HINTS }, problem: undefined, why: 'root servers' },
  {
    more: { rootHints: 'r', rfc5011: true },
    files: { r: HINTS },
    problem: 'c: rfc5011: trustAnchors has no anchor of the root to begin with',
    why: 'root servers that are followed, and no anchor of theirs',
  },
  {
    more: { rootHints: 'r', rfc5011: true, trustAnchors: [ANCHOR] },
    files: { r: HINTS },
    problem: undefined,
    why: 'and their anchor',
  },
  { more: { rootHints: 'r' }, files: {}, problem: 'r: there is no such file', why: 'none of them' },
  {
    more: { rootHints: 'r' },
    files: { r: '' },
    problem: 'r: names no root server with an address: without them nothing is resolved',
    why: 'an empty list of root servers',
  },
  {
    more: { hosts: 'h' },
    files: { h: 'a b' },
    problem: "h: line 1: 'a' is not an address",
    why: 'not a hosts file',
  },
  {
    more: { zones: { lab: 'z' } },
    files: { z: '' },
    problem: 'z: one SOA record at lab. is needed',
    why: 'not a zone',
  },
])('$why', async ({ more, files, problem }) => {
  const read = await readBareFile(filesOf({ c: settings(more), ...files }), 'c');
  const problems = 'problems' in read ? read.problems : [];
  const words = problems.map(({ source, message }) => `${source}: ${message}`);
  expect(words).toEqual(problem === undefined ? [] : [problem]);
});

test.each([
  { name: 'www.deep.lab.', kind: 'zone', apex: 'deep.lab.', why: 'the nearest zone' },
  { name: 'www.lab.', kind: 'zone', apex: 'lab.', why: 'the zone above' },
  { name: 'nas.lab.', kind: 'zone', apex: undefined, why: 'the hosts file comes first' },
  { name: 'www.example.', kind: 'recurse', apex: undefined, why: 'neither' },
  { name: 'nas.example.', type: 65, kind: 'zone', why: 'a host has no other types elsewhere' },
  { name: '1.2.0.192.in-addr.arpa.', type: 12, kind: 'zone', why: 'the way back' },
  { name: '1.2.0.192.in-addr.arpa.', type: 16, kind: 'recurse', why: 'and only that' },
])('$name $type: $why', async ({ name, type = 1, kind, apex }) => {
  const contents = { l: ZONE, d: ZONE, h: '192.0.2.1 nas.lab nas.example' };
  const more = { zones: { lab: 'l', 'deep.lab': 'd' }, hosts: 'h' };
  const read = await readBareFile(filesOf({ c: settings(more), ...contents }), 'c');
  const parsed = parseName(name);
  if ('problems' in read || parsed === undefined) throw new Error('not read');
  const asker = { address: '192.0.2.9', port: 9 };
  const ruling = await read.bare.before({ name: parsed, type, class: 1 }, asker, 'udp');
  expect(ruling.kind).toBe(kind);
  const wanted = apex === undefined ? {} : { authority: { apex: parseName(apex) } };
  expect(ruling).toMatchObject(wanted);
});

test.each([
  { name: 'Lab.', type: 43, isOfParent: true, why: 'its DS' },
  { name: 'lab.', type: 1, isOfParent: false, why: 'an address' },
  { name: 'www.lab.', type: 43, isOfParent: false, why: 'a name below' },
  { name: 'deep.lab.', type: 43, isOfParent: false, why: 'a zone whose parent is here, too' },
])('$why: whether the parent has type $type of $name', async ({ name, type, isOfParent }) => {
  const files = { c: settings({ zones: { lab: 'l', 'deep.lab': 'l' } }), l: ZONE };
  const read = await readBareFile(filesOf(files), 'c');
  const parsed = parseName(name);
  if ('problems' in read || parsed === undefined) throw new Error('not read');
  const asker = { address: '192.0.2.9', port: 9 };
  const ruling = await read.bare.before({ name: parsed, type, class: 1 }, asker, 'udp');
  expect(ruling).toMatchObject({ kind: 'zone', isOfParent });
});

test('the root is the one of the file', async () => {
  const read = await readBareFile(filesOf({ c: settings({ rootHints: 'r' }), r: HINTS }), 'c');
  expect(read).toMatchObject({
    bare: { options: { rootHints: [{ name: 'A.ROOT.', addresses: ['192.0.2.53'] }] } },
  });
});
