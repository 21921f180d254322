import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { applyOps } from '../merge/apply.ts';
import { NOTHING } from '../merge/merged.ts';
import { encodeText } from './bytes.ts';
import { buildTree, nameObject } from './object.ts';
import type { Op } from './op.ts';

const { crypto } = fakeRuntime();
const AUTHOR = { device: 'a', seq: 1 };

test.each([
  {
    type: 'blob',
    id: '473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813',
    why: "git's empty blob",
  },
  {
    type: 'tree',
    id: '6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321',
    why: "git's empty tree",
  },
] as const)('$why has the name git gives it', ({ type, id }) => {
  expect(nameObject(crypto, { type, body: new Uint8Array(0) }).id).toBe(id);
});

test('a tree is what `git write-tree` makes of the same files', () => {
  // git init --object-format=sha256; printf '[]\n' > .nymote/ops.json; printf '{}\n' > each other
  const ops: Op[] = ['a/x', 'a-b/x', 'a0/x', 'names/@', 'names/*', 'names/a', 'names/a.b'].map(
    (path) => ({ op: 'set', path, value: {} }),
  );
  const { root } = buildTree(crypto, applyOps(NOTHING, AUTHOR, ops), '[]\n');
  expect(root.id).toBe('b2d1776eddacc4cbd1c53d79ed950c60b836c1655707ded3d09c2f239644b309');
});

test('the order in which records came does not matter', () => {
  const ops: Op[] = ['a/x', 'b/y', 'a/z'].map((path) => ({ op: 'set', path, value: { path } }));
  const one = buildTree(crypto, applyOps(NOTHING, AUTHOR, ops), '[]\n');
  const other = buildTree(crypto, applyOps(NOTHING, AUTHOR, ops.toReversed()), '[]\n');
  expect(one.root.id).toBe(other.root.id);
  expect(one.others.map(({ body }) => body)).toContainEqual(encodeText('[]\n'));
});
