import { expect, test } from 'vitest';
import { parseName, ROOT } from './message/name.ts';
import type { ResolverOptions } from './resolver.ts';
import { ROOT_HINTS } from './roots/root-hints.ts';
import { anchorsOf } from './settings.ts';

const OPTIONS: ResolverOptions = { listen: [], before: () => ({ kind: 'recurse' }) };
const LAB = `lab. IN DS 1 13 2 ${'AB'.repeat(32)}`;
const OWN = LAB.replace('lab.', '.');
const moved = ROOT_HINTS.map((hint, at) =>
  at === 1 ? { ...hint, addresses: ['192.0.2.53'] } : hint,
);

test.each<{ more: Partial<ResolverOptions>; root: number; why: string }>([
  { more: {}, root: 2, why: 'IANA’s, unless told' },
  { more: { rootHints: ROOT_HINTS }, root: 2, why: 'IANA’s servers from a file' },
  { more: { rootHints: moved }, root: 2, why: 'one of them has moved' },
  { more: { rootHints: ROOT_HINTS.slice(0, 2) }, root: 0, why: 'two of them are somebody’s test' },
  { more: { rootHints: [{ name: 'a.', addresses: ['192.0.2.1'] }] }, root: 0, why: 'another root' },
  { more: { rootHints: ROOT_HINTS, trustAnchors: [OWN] }, root: 1, why: 'its anchor is told' },
  { more: { rootHints: ROOT_HINTS, trustAnchors: [LAB] }, root: 2, why: 'beside others' },
  { more: { validate: false }, root: 0, why: 'nothing is validated' },
])('anchors of the root: $root, $why', ({ more, root }) => {
  const { positive } = anchorsOf({ ...OPTIONS, ...more });
  expect(positive.get(ROOT.key)?.digests.length ?? 0).toBe(root);
  const isTold = more.trustAnchors?.includes(LAB) === true;
  expect(positive.has(parseName('lab.')?.key ?? '')).toBe(isTold);
});
