import { expect, test } from 'vitest';
import { readRootHints } from './hints-file.ts';

const FILE = `; formerly NS.INTERNIC.NET
.                        3600000      NS    A.ROOT-SERVERS.NET.
A.ROOT-SERVERS.NET.      3600000      A     198.41.0.4
A.ROOT-SERVERS.NET.      3600000      AAAA  2001:503:ba3e::2:30
.                        3600000      NS    B.ROOT-SERVERS.NET.
b.root-servers.net.      3600000      A     170.247.170.2
.                        3600000      NS    NOWHERE.
C.ROOT-SERVERS.NET.      3600000      A     192.33.4.12
; End of file
`;

test('as InterNIC publishes it: the servers that have an address, whatever their letters', () => {
  expect(readRootHints(FILE)).toEqual({
    ok: true,
    hints: [
      { name: 'A.ROOT-SERVERS.NET.', addresses: ['198.41.0.4', '2001:503:ba3e::2:30'] },
      { name: 'B.ROOT-SERVERS.NET.', addresses: ['170.247.170.2'] },
    ],
  });
});

const LONG = Array.from({ length: 65 }, (_, at) => `. NS n${at}.`).join('\n');

test.each([
  { text: '', problem: /^names no root server/, why: 'empty' },
  { text: '; nothing\n\n', problem: /^names no root server/, why: 'remarks only' },
  { text: '. NS a.\n', problem: /^names no root server/, why: 'no address' },
  { text: 'a. A 192.0.2.1\n', problem: /^names no root server/, why: 'no server' },
  { text: 'lab. NS a.\na. A 192.0.2.1\n', problem: /^names no root/, why: 'of another zone' },
  { text: '<html>\n', problem: /^line 1: /, why: 'another file' },
  { text: '$INCLUDE /etc/shadow\n', problem: /^line 1: include-refused/, why: 'other files' },
  { text: LONG, problem: /^too many root servers/, why: 'without an end' },
])('refused: $why', ({ text, problem }) => {
  expect(readRootHints(text)).toEqual({ ok: false, problem: expect.stringMatching(problem) });
});
