/**
 * The steps of a commit, as they are written and read. What they do is in merge/apply.ts.
 *
 * The op itself says how it merges with what others do at the same time, so that a replica needs
 * no schema to agree: `set` and `del` write a register, `add` and `rem` a set kept sorted by
 * canonical text, `grow` a set that only grows, `inc` a counter, `ins`, `mv` and `rem` of an item
 * an ordered list, `text` lines that are merged; `revoke` ends a device.
 */

import { StorageError } from '../error.ts';
import type { Rule } from '../merge/merged.ts';
import { isPlace } from '../merge/order.ts';
import { canonicalize, isObject, type Json, type JsonObject, parseCanonical } from './json.ts';
import { isField, type Path, parsePath } from './path.ts';

/** One step of a commit. */
export type Op =
  | {
      readonly op: 'set';
      readonly path: string;
      readonly value: Json;
      /** How a conflict is decided until somebody writes; of a whole record, by field. */
      readonly rule?: Rule | { readonly [field: string]: Rule };
    }
  | { readonly op: 'add'; readonly path: string; readonly value: Json }
  | { readonly op: 'rem'; readonly path: string; readonly value: Json }
  | { readonly op: 'grow'; readonly path: string; readonly value: Json }
  | { readonly op: 'inc'; readonly path: string; readonly value: number }
  | { readonly op: 'text'; readonly path: string; readonly value: string }
  | { readonly op: 'ins'; readonly path: string; readonly at: string; readonly value: Json }
  | { readonly op: 'mv'; readonly path: string; readonly item: string; readonly at: string }
  | { readonly op: 'rem'; readonly path: string; readonly item: string }
  | { readonly op: 'del'; readonly path: string }
  /** Ends a device: its commits beyond `lastSeq` count for nothing, whenever they arrive. */
  | { readonly op: 'revoke'; readonly path: string; readonly lastSeq: number };

/** Records by key. */
export type Collection = ReadonlyMap<string, JsonObject>;

/** Everything the store says at one commit: collections by name. Values are frozen. */
export type State = ReadonlyMap<string, Collection>;

/** More ops in one commit are refused: a commit is a change, not a bulk load. */
export const MAX_OPS = 4096;

/** Fields that hold keys to something: never in the clear (I2). */
const SECRET_FIELDS = new Set([
  'privatekey',
  'presharedkey',
  'secret',
  'password',
  'passphrase',
  'psk',
]);

/** The record at `collection/key`. */
export function readRecord(state: State, path: string): JsonObject | undefined {
  const parsed = parsePath(path);
  return parsed && state.get(parsed.collection)?.get(parsed.key);
}

/** The canonical text of the ops of one commit, as `.nymote/ops.json` holds it. */
export function printOps(ops: readonly Op[]): string {
  return `${canonicalize(ops)}\n`;
}

/**
 * Reads `.nymote/ops.json` and checks every op by itself. Throws 'invalid' or 'too-large'.
 *
 * Values come back frozen and shared with nobody.
 */
export function parseOps(text: string): readonly Op[] {
  if (!text.endsWith('\n')) throw new StorageError('invalid', 'ops without their last newline');
  const value = parseCanonical(text.slice(0, -1));
  if (!Array.isArray(value)) throw new StorageError('invalid', 'ops are not a list');
  if (value.length > MAX_OPS) throw new StorageError('too-large', `more than ${MAX_OPS} ops`);
  value.forEach(checkOp);
  return value;
}

/** Every path in `value` whose field name promises a secret and whose value is not sealed. */
export function findSecrets(path: string, value: Json): string[] {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (SECRET_FIELDS.has(name.toLowerCase())) return isSealed(value) ? [] : [path];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => findSecrets(`${path}/${key}`, item));
}

/** Tells whether a value is a sealed box: `{ "sealed": "…" }` and nothing else. */
export function isSealed(value: Json | undefined): boolean {
  return isObject(value) && typeof value['sealed'] === 'string' && Object.keys(value).length === 1;
}

function checkOp(op: Json): void {
  if (!isObject(op)) throw new StorageError('invalid', 'an op is not an object');
  const { op: kind, path: text } = op as { op?: Json; path?: Json };
  const path = typeof text === 'string' ? parsePath(text) : undefined;
  if (typeof text !== 'string' || path === undefined) {
    throw new StorageError('invalid', `no path: ${String(text).slice(0, 100)}`);
  }
  const shape = shapeOf(op);
  const names = Object.keys(op).filter((name) => name !== 'op' && name !== 'path');
  const isKnown =
    shape !== undefined &&
    names.every((name) => Object.hasOwn(shape, name)) &&
    Object.entries(shape).every(([name, check]) =>
      Object.hasOwn(op, name) ? check(op[name] as Json, path) : name === 'rule',
    );
  if (!isKnown) {
    throw new StorageError('invalid', `not an op: ${String(kind).slice(0, 20)} on ${text}`);
  }
  checkTarget(kind as Op['op'], path, text, op['value']);
  if (!Object.hasOwn(op, 'value')) return;
  const clear = findSecrets(text, op['value'] as Json);
  if (clear.length > 0) {
    throw new StorageError('invalid', `secrets must be sealed: ${clear.join(', ')}`, {
      problems: clear.map((at) => ({ path: at, message: 'must be sealed' })),
    });
  }
}

type Shape = Readonly<Record<string, (value: Json, path: Path) => boolean>>;

const isAny = (): boolean => true;
const isText = (value: Json): boolean => typeof value === 'string';
const isInteger = (value: Json): boolean => typeof value === 'number';
const isPlaced = (value: Json): boolean => typeof value === 'string' && isPlace(value);
const isItem = (value: Json): boolean => typeof value === 'string' && ITEM.test(value);
const isRule = (value: Json): boolean => RULES.has(value);

/** A list's item is named by the op that made it: device, sequence number, place in the commit. */
const ITEM = /^[^:]{1,200}:\d{1,15}:\d{1,4}$/;
const RULES: ReadonlySet<Json> = new Set<Rule>(['deny', 'lower', 'rank']);

/** Every member of an op besides `op` and `path`; all but `rule` must be there. */
const SHAPES: Readonly<Record<string, Shape>> = {
  set: {
    value: isAny,
    rule: (value, { field }) =>
      field !== undefined
        ? isRule(value)
        : isObject(value) && Object.values(value).every((item) => isRule(item)),
  },
  del: {},
  add: { value: isAny },
  rem: { value: isAny },
  grow: { value: isAny },
  inc: { value: isInteger },
  text: { value: isText },
  ins: { at: isPlaced, value: isAny },
  mv: { at: isPlaced, item: isItem },
  revoke: { lastSeq: (value) => typeof value === 'number' && value >= 0 },
};

const REMOVE_ITEM: Shape = { item: isItem };

function shapeOf(op: JsonObject): Shape | undefined {
  const { op: kind } = op as { op?: Json };
  if (kind === 'rem' && Object.hasOwn(op, 'item')) return REMOVE_ITEM;
  return typeof kind === 'string' && Object.hasOwn(SHAPES, kind) ? SHAPES[kind] : undefined;
}

function checkTarget(kind: Op['op'], path: Path, text: string, value: Json | undefined): void {
  if (kind === 'revoke' && (path.collection !== 'devices' || path.field !== undefined)) {
    throw new StorageError('invalid', `only devices are revoked: ${text}`);
  }
  if (path.field !== undefined || kind === 'del' || kind === 'revoke') return;
  if (kind !== 'set') throw new StorageError('invalid', `${kind} needs a field: ${text}`);
  if (!isObject(value)) throw new StorageError('invalid', `a record is an object: ${text}`);
  const bad = Object.keys(value).find((field) => !isField(field));
  if (bad !== undefined) throw new StorageError('invalid', `not a field name in ${text}`);
}
