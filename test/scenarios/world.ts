/**
 * The small world most scenarios play in: root, two top-level domains, a few leaves.
 */

import { ROOT_ADDRESS, type ZoneSpec } from './internet.ts';

export const COM = '192.0.2.2';
export const NET = '192.0.2.3';
export const EXAMPLE = '192.0.2.10';
export const SECOND = '192.0.2.11';
export const OTHER = '192.0.2.20';

export const WORLD: readonly ZoneSpec[] = [
  {
    apex: '.',
    at: [ROOT_ADDRESS],
    lines: [
      '. NS a.root-servers.net.',
      'com. NS ns.nic.com.',
      `ns.nic.com. A ${COM}`,
      'net. NS ns.nic.net.',
      `ns.nic.net. A ${NET}`,
    ],
  },
  {
    apex: 'com.',
    at: [COM],
    lines: [
      'com. NS ns.nic.com.',
      `ns.nic.com. A ${COM}`,
      'example.com. NS ns1.example.com.',
      'example.com. NS ns2.example.com.',
      `ns1.example.com. A ${EXAMPLE}`,
      `ns2.example.com. A ${SECOND}`,
      'glueless.com. NS ns.other.net.',
    ],
  },
  {
    apex: 'net.',
    at: [NET],
    lines: ['net. NS ns.nic.net.', 'other.net. NS ns.other.net.', `ns.other.net. A ${OTHER}`],
  },
  {
    apex: 'example.com.',
    at: [EXAMPLE, SECOND],
    lines: [
      'example.com. NS ns1.example.com.',
      'example.com. NS ns2.example.com.',
      `ns1.example.com. A ${EXAMPLE}`,
      `ns2.example.com. A ${SECOND}`,
      'www.example.com. 300 A 198.51.100.1',
      'www.example.com. 300 AAAA 2001:db8::80',
      'deep.under.there.example.com. 300 A 198.51.100.2',
      'inside.example.com. 300 CNAME www.example.com.',
      'outside.example.com. 300 CNAME www.other.net.',
      'loop1.example.com. CNAME loop2.example.com.',
      'loop2.example.com. CNAME loop1.example.com.',
      'moved.example.com. 300 DNAME other.net.',
      ...Array.from({ length: 15 }, (_, i) => `c${i}.example.com. CNAME c${i + 1}.example.com.`),
      ...Array.from(
        { length: 20 },
        (_, i) => `medium.example.com. 300 TXT "${'x'.repeat(60)}${i}"`,
      ),
      ...Array.from({ length: 5 }, (_, i) => `small.example.com. 300 TXT "${'x'.repeat(60)}${i}"`),
      ...Array.from({ length: 60 }, (_, i) => `big.example.com. 300 TXT "${'x'.repeat(60)}${i}"`),
    ],
  },
  {
    apex: 'other.net.',
    at: [OTHER],
    lines: [
      'other.net. NS ns.other.net.',
      `ns.other.net. A ${OTHER}`,
      'www.other.net. 300 A 198.51.100.9',
    ],
  },
  {
    apex: 'glueless.com.',
    at: [OTHER],
    lines: ['glueless.com. NS ns.other.net.', 'www.glueless.com. 300 A 198.51.100.7'],
  },
];
