/** What members of a simulated household do to each other: let in, raise, end, ask, agree. */

import type { CommitId } from '../format/commit.ts';
import { isObject } from '../format/json.ts';
import { type Op, readRecord } from '../format/op.ts';
import { nextRank } from '../rights/members.ts';
import type { Known } from './check.fixture.ts';
import { type Home, SPARES } from './home.fixture.ts';

type Numbers = readonly [number, number, number];
type Commits = { readonly known: ReadonlyMap<CommitId, Known> };

/** Some device's path, as this one knows them. */
function someDevice({ store }: Home, number: number): string {
  const devices = [...(store.merged().get('devices')?.keys() ?? [])];
  return `devices/${devices[number % Math.max(1, devices.length)] ?? 'nobody'}`;
}

/** Ends a device at about where it is; what is later comes late. */
export function revokeOne({ known }: Commits, home: Home, [a, b]: Numbers): Op[] {
  const path = someDevice(home, a);
  const device = path.slice('devices/'.length);
  const { length } = [...known.values()].filter((each) => each.device === device);
  return [{ op: 'revoke', path, lastSeq: Math.max(0, length - (b % 4)) }];
}

/** Ends the device itself. */
export function leave({ known }: Commits, { writer }: Home): Op[] {
  const device = writer?.deviceId ?? '';
  const own = [...known.values()].filter((each) => each.device === device);
  const lastSeq = Math.max(0, ...own.map(({ seq }) => seq)) + 1;
  return [{ op: 'revoke', path: `devices/${device}`, lastSeq }];
}

/** Lets in somebody new. */
export function admit({ store }: Home, [a, b]: Numbers): Op[] {
  const spare = SPARES[a % SPARES.length];
  const state = store.merged();
  if (spare === undefined || readRecord(state, spare.path) !== undefined) return [];
  const { signingKey, path } = spare;
  const role = b % 2 === 0 ? { role: 'owner', rank: nextRank(state) } : { role: 'device' };
  return [{ op: 'set', path, value: { signingKey, ...role } }];
}

export function grant(home: Home, [a, b]: Numbers): Op[] {
  const prefix = (['names', 'groups', 'lists'] as const)[b % 3] ?? 'names';
  const value = [{ prefix, may: ['write'] }];
  return [{ op: 'set', path: `${someDevice(home, a)}/grants`, value }];
}

export function promote(home: Home, [a]: Numbers): Op[] {
  const path = someDevice(home, a);
  return [
    { op: 'set', path: `${path}/role`, value: 'owner' },
    { op: 'set', path: `${path}/rank`, value: nextRank(home.store.merged()) },
  ];
}

export function demote(home: Home, [a]: Numbers): Op[] {
  const path = someDevice(home, a);
  return [
    { op: 'set', path: `${path}/role`, value: 'device' },
    { op: 'del', path: `${path}/rank` },
  ];
}

/** From now on two owners for something, or one again. */
export function makeRule([a]: Numbers): Op[] {
  const value = a % 2 === 0 ? ['names/b'] : [];
  return [{ op: 'set', path: 'realm/settings/twoOwners', value }];
}

export function propose({ writer }: Home, [a, b]: Numbers): Op[] {
  const ops = [{ op: 'set', path: 'names/b/f', value: b }];
  return [{ op: 'set', path: `proposals/${writer?.deviceId}.p${a % 3}`, value: { ops } }];
}

/** Agrees to what somebody proposed, or commits it all the same. */
export function approve({ store }: Home, [a]: Numbers): Op[] {
  const proposals = [...(store.merged().get('proposals') ?? [])];
  const [key, record] = proposals[a % Math.max(1, proposals.length)] ?? [];
  const ops = isObject(record) && Array.isArray(record['ops']) ? (record['ops'] as Op[]) : [];
  return ops.length === 0 ? [] : [{ op: 'del', path: `proposals/${key}` }, ...ops];
}
