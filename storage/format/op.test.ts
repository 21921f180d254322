import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StorageError } from '../error.ts';
import { applyOps } from '../merge/apply.ts';
import { type Merged, NOTHING } from '../merge/merged.ts';
import { canonicalize, type Json } from './json.ts';
import { MAX_OPS, type Op, parseOps, printOps } from './op.ts';

/** What one device makes by itself. */
function apply(before: Merged, ops: readonly Op[]): Merged {
  return applyOps(before, { device: 'a', seq: (before.vector.get('a') ?? 0) + 1 }, ops);
}

/** A state as plain JSON. */
function show({ state }: Merged): unknown {
  return Object.fromEntries([...state].map(([name, all]) => [name, Object.fromEntries(all)]));
}

const RECORD = { a: { x: { n: 1, s: ['b'] } } };
const SETUP: Op[] = [{ op: 'set', path: 'a/x', value: { n: 1, s: ['b'] } }];

describe('applying', () => {
  test.each([
    { op: { op: 'set', path: 'a/x', value: {} }, gives: { a: { x: {} } }, why: 'replaces' },
    {
      op: { op: 'set', path: 'a/x/n', value: 2 },
      gives: { a: { x: { n: 2, s: ['b'] } } },
      why: 'one field',
    },
    {
      op: { op: 'set', path: 'b/y/n', value: 2 },
      gives: { ...RECORD, b: { y: { n: 2 } } },
      why: 'a field makes its record',
    },
    { op: { op: 'del', path: 'a/x' }, gives: {}, why: 'an empty collection is none' },
    { op: { op: 'del', path: 'a/x/n' }, gives: { a: { x: { s: ['b'] } } }, why: 'one field' },
    { op: { op: 'del', path: 'b/y' }, gives: RECORD, why: 'deleting nothing changes nothing' },
    { op: { op: 'del', path: 'b/y/n' }, gives: RECORD, why: 'nor does it of a field' },
    {
      op: { op: 'add', path: 'a/x/s', value: 'a' },
      gives: { a: { x: { n: 1, s: ['a', 'b'] } } },
      why: 'members are sorted',
    },
    { op: { op: 'add', path: 'a/x/s', value: 'b' }, gives: RECORD, why: 'members are unique' },
    {
      op: { op: 'add', path: 'b/y/s', value: 1 },
      gives: { ...RECORD, b: { y: { s: [1] } } },
      why: 'the first member makes the set',
    },
    {
      op: { op: 'rem', path: 'a/x/s', value: 'b' },
      gives: { a: { x: { n: 1, s: [] } } },
      why: 'the last member leaves the set',
    },
    { op: { op: 'rem', path: 'a/x/s', value: 'z' }, gives: RECORD, why: 'not a member' },
    { op: { op: 'rem', path: 'b/y/s', value: 'z' }, gives: RECORD, why: 'not a set' },
  ] as { op: Op; gives: unknown; why: string }[])('$op.op $op.path: $why', ({ op, gives }) => {
    expect(show(apply(apply(NOTHING, SETUP), [op]))).toEqual(gives);
  });

  test('leaves the state before as it was', () => {
    const before = apply(NOTHING, SETUP);
    apply(before, [{ op: 'del', path: 'a/x' }]);
    expect(show(before)).toEqual(RECORD);
  });

  test('keeps the identity of what it does not touch', () => {
    const before = apply(NOTHING, SETUP);
    const after = apply(before, [{ op: 'set', path: 'b/y', value: {} }]);
    expect(after.state.get('a')).toBe(before.state.get('a'));
  });

  test('is what a plain map of fields does', () => {
    fc.assert(
      fc.property(fc.array(anyOp), (ops) => {
        const state = apply(NOTHING, parseOps(printOps(ops)));
        expect(show(state)).toEqual(applyToModel(ops));
      }),
    );
  });
});

describe('the text of ops', () => {
  test.each([
    { text: '[]', why: 'no newline' },
    { text: '{}\n', why: 'no list' },
    { text: '[1]\n', why: 'no object' },
    { text: '[{"op":"set","path":"a/x"}]\n', why: 'no value' },
    { text: '[{"op":"del","path":"a/x","value":1}]\n', why: 'a value too many' },
    { text: '[{"op":"exp","path":"a/x/n","value":1}]\n', why: 'an unknown op' },
    { text: '[{"by":1,"op":"del","path":"a/x"}]\n', why: 'an unknown member' },
    { text: '[{"op":"set","path":"a/x","value":1}]\n', why: 'a record is an object' },
    { text: '[{"op":"set","path":"a/x","value":{"a b":1}}]\n', why: 'a field without a path' },
    { text: '[{"op":"add","path":"a/x","value":1}]\n', why: 'a record is no set' },
    { text: '[{"op":"del","path":"a"}]\n', why: 'no path' },
    { text: '[{"op":"del","path":1}]\n', why: 'no path' },
    {
      text: `[${Array(MAX_OPS + 1)
        .fill('{"op":"del","path":"a/x"}')
        .join(',')}]\n`,
      why: 'too many',
    },
  ])('is refused: $why', ({ text }) => {
    expect(() => parseOps(text)).toThrow(StorageError);
  });

  test.each([
    { path: 'devices/x', value: { privateKey: 'abc' }, at: 'devices/x/privateKey' },
    { path: 'devices/x/privateKey', value: 'abc', at: 'devices/x/privateKey' },
    { path: 'devices/x/wifi', value: [{ PSK: 'abc' }], at: 'devices/x/wifi/0/PSK' },
    { path: 'a/x', value: { secret: { sealed: 'x', clear: 'y' } }, at: 'a/x/secret' },
  ])('never holds a secret in the clear (I2): $at', ({ path, value, at }) => {
    const text = printOps([{ op: 'set', path, value }]);
    expect(() => parseOps(text)).toThrow(at);
  });

  test('may hold a sealed secret', () => {
    const value = { secret: { sealed: 'age…' }, publicKey: 'abc' };
    expect(parseOps(printOps([{ op: 'set', path: 'a/x', value }]))).toHaveLength(1);
  });
});

const paths = fc.constantFrom('a/x', 'a/y', 'b/x');
const fields = fc.tuple(paths, fc.constantFrom('m', 'n')).map((parts) => parts.join('/'));
const value: fc.Arbitrary<Json> = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constant([2, 1]));

const anyOp: fc.Arbitrary<Op> = fc.oneof(
  fc.record({ op: fc.constant('set'), path: paths, value: fc.record({ m: value }) }),
  fc.record({ op: fc.constant('set'), path: fields, value }),
  fc.record({ op: fc.constantFrom('add', 'rem'), path: fields, value }),
  fc.record({ op: fc.constant('del'), path: fc.oneof(paths, fields) }),
) as fc.Arbitrary<Op>;

type Model = Record<string, Record<string, Record<string, Json>>>;

/** The same on nested plain objects, copied whole at every step. */
function applyToModel(ops: readonly Op[]): Model {
  return ops.reduce<Model>((model, op) => {
    const [collection = '', key = '', field] = op.path.split('/');
    const copy = structuredClone(model);
    const before = copy[collection]?.[key];
    const whole = op.op === 'set' ? (op.value as Record<string, Json>) : undefined;
    const after = field === undefined ? whole : changeField(before, field, op);
    if (after !== undefined) copy[collection] = { ...copy[collection], [key]: after };
    else if (copy[collection] !== undefined) delete copy[collection][key];
    const filled = Object.entries(copy).filter(([, records]) => Object.keys(records).length > 0);
    return Object.fromEntries(filled);
  }, {});
}

function changeField(
  record: Record<string, Json> | undefined,
  field: string,
  op: Op,
): Record<string, Json> | undefined {
  if (op.op === 'set') return { ...record, [field]: op.value };
  if (op.op === 'del') {
    const rest = Object.entries(record ?? {}).filter(([name]) => name !== field);
    return record && Object.fromEntries(rest);
  }
  const old = record?.[field];
  const texts = (Array.isArray(old) ? old : []).map((item) => canonicalize(item));
  const text = canonicalize('value' in op ? op.value : null);
  const others = new Set(texts.filter((item) => item !== text));
  if (op.op === 'add') others.add(text);
  else if (!Array.isArray(old)) return record;
  const sorted = [...others].sort((a, b) => (a < b ? -1 : 1));
  return { ...record, [field]: sorted.map((item) => JSON.parse(item)) };
}
