/**
 * What is put into the cache, and what is not because something better is there (RFC 2181 §5.4.1).
 */

import type { Name } from '../message/name.ts';
import { join } from '../message/wire/field.ts';
import type { Cut } from '../recursion/delegation.ts';
import type { Judgement } from '../recursion/judgement.ts';
import type { Cache, Fact } from './cache.ts';
import { find, findAlive, keyHash, type Place, put, SPACE, type Store, trustIn } from './entry.ts';
import * as packing from './packing.ts';
import {
  FAILURE_TTL,
  MAX_FAILURE_TTL,
  MAX_NEGATIVE_TTL,
  MAX_TTL,
  negativeTtl,
  secondsLeft,
  TRUST,
} from './worth.ts';

type DataPart = Pick<
  Cache,
  'putRecords' | 'putNoData' | 'putNoName' | 'putJudged' | 'putBogusAlias'
>;

/** Records and denials. */
export function dataOf(store: Store): DataPart {
  const { map, hash } = store;
  return {
    putRecords(rrset, trust, now, proof = []) {
      const { owner, type } = rrset;
      const until = now + Math.min(rrset.ttl, MAX_TTL);
      const place: Place = { space: SPACE.data, type, name: owner };
      put(store, place, { trust, until, now }, () => packing.packSet(rrset, proof));
      // What exists contradicts an older denial of it.
      const { count } = hash.suffixes(owner.wire);
      for (let above = 0; above < count; above++) {
        const denied = find(store, SPACE.noName, 0, owner, above);
        if (denied !== 0) map.remove(denied);
      }
    },
    putNoData(name, type, denial, trust, now) {
      const until = now + negativeTtl(denial.soa);
      const place: Place = { space: SPACE.data, type, name };
      const worth = { trust, until, now, isNoData: true };
      put(store, place, worth, () => packing.packDenial(denial));
    },
    putNoName(name, denial, trust, now) {
      const until = now + negativeTtl(denial.soa);
      const place: Place = { space: SPACE.noName, type: 0, name };
      put(store, place, { trust, until, now }, () => packing.packDenial(denial));
    },
    putJudged: (name, type, known, ttl, now) => storeJudged(store, name, type, known, ttl, now),
    putBogusAlias(name, type, { rrset, proof, judgement }, ttl, now) {
      const until = now + Math.min(rrset.ttl, ttl);
      const place: Place = { space: SPACE.bogusAlias, type, name };
      const worth = { trust: TRUST.additional, until, now, isBogus: true };
      put(store, place, worth, () => packing.packSet(rrset, proof, judgement));
    },
  };
}

function storeJudged(
  store: Store,
  name: Name,
  type: number,
  known: Fact & { readonly judgement: Judgement },
  ttl: number,
  now: number,
): void {
  const { judgement } = known;
  const { map } = store;
  const isNoName = known.kind === 'no-name';
  const place: Place = isNoName
    ? { space: SPACE.noName, type: 0, name }
    : { space: SPACE.data, type, name };
  const existing = findAlive(store, place.space, place.type, name, now);
  const before = existing === 0 ? undefined : trustIn(map.tagOf(existing));
  if (before === TRUST.secure && judgement.state !== 'secure') return;
  const same = before ?? TRUST.answer;
  // A broken one may be replaced by anything; what cannot be checked stays as good as it was, and
  // so does what was checked without a date.
  const trust = {
    secure: judgement.state === 'secure' && judgement.isTimed ? TRUST.secure : same,
    insecure: same,
    bogus: TRUST.additional,
  }[judgement.state];
  if (existing !== 0) map.remove(existing);
  const shared = { trust, now, isBogus: judgement.state === 'bogus' };
  if (known.kind === 'records') {
    const { rrset, proof } = known;
    const until = now + Math.min(rrset.ttl, ttl, MAX_TTL);
    put(store, place, { ...shared, until }, () => packing.packSet(rrset, proof, judgement));
    return;
  }
  const { denial } = known;
  const until = now + Math.min(negativeTtl(denial.soa), ttl);
  const worth = { ...shared, until, isNoData: !isNoName };
  // Of bad data, name and type are remembered (RFC 4035 §4.7): it is no denial of anything else.
  const own = isNoName && shared.isBogus ? { ...place, type } : place;
  put(store, own, worth, () => packing.packDenial(denial, judgement));
}

type OtherPart = Pick<
  Cache,
  'findFailure' | 'putFailure' | 'findCut' | 'putCut' | 'findProof' | 'putProof'
>;

/** Failures, delegations and proofs. */
export function othersOf(store: Store): OtherPart {
  const { map, hash } = store;
  const cuts = createCutFront();

  function readFailure(item: number) {
    map.read(item, packing.unpacked);
    packing.beginReading();
    return packing.readFailure();
  }

  return {
    findFailure(name, type, now) {
      const item = findAlive(store, SPACE.failure, type, name, now);
      return item === 0 ? undefined : readFailure(item).reason;
    },
    putFailure(name, type, reason, now) {
      // Kept past its end, so that the next failure knows how long the one before lasted.
      const before = find(store, SPACE.failure, type, name);
      const isRecent = before !== 0 && now - map.untilOf(before) < MAX_FAILURE_TTL;
      const ttl = isRecent ? Math.min(readFailure(before).ttl * 2, MAX_FAILURE_TTL) : FAILURE_TTL;
      const place: Place = { space: SPACE.failure, type, name };
      const worth = { trust: TRUST.answer, until: now + ttl, now };
      put(store, place, worth, () => packing.packFailure(reason, ttl));
    },
    findCut(zone, now) {
      const item = findAlive(store, SPACE.cut, 0, zone, now);
      if (item === 0) return undefined;
      const known = cuts.find(zone, item);
      if (known !== undefined) return known;
      map.read(item, packing.unpacked);
      return cuts.put(item, packing.readCut(packing.beginReading(zone)));
    },
    putCut(cut, now) {
      cuts.forget(cut.zone);
      const until = Math.min(cut.until, now + MAX_TTL);
      const place: Place = { space: SPACE.cut, type: 0, name: cut.zone };
      put(store, place, { trust: TRUST.referral, until, now }, () => packing.packCut(cut));
    },
    findProof(zone, owner, type, now) {
      const key = join([owner.wire, zone.wire]);
      const hashed = keyHash(SPACE.proof, type, hash.whole(key));
      const item = map.find(SPACE.proof, type, hashed, key, 0);
      if (item === 0 || map.untilOf(item) <= now) return undefined;
      map.read(item, packing.unpacked);
      const name = packing.beginReading(owner);
      packing.passZone();
      return packing.readSet(name, type, secondsLeft(map.untilOf(item), now)).rrset;
    },
    putProof(zone, rrset, ttl, now) {
      const { owner, type } = rrset;
      const until = now + Math.min(rrset.ttl, ttl, MAX_NEGATIVE_TTL);
      const place: Place = { space: SPACE.proof, type, name: owner, zone };
      put(store, place, { trust: TRUST.secure, until, now }, () => packing.packSet(rrset, []));
    },
  };
}

/** Delegations kept unpacked, some 1 KB each: every question begins at one. */
const MAX_CUTS = 256;

/** Those used last. An item's number is good for a zone until that zone's is put anew. */
function createCutFront() {
  const front = new Map<string, { readonly item: number; readonly cut: Cut }>();
  return {
    find(zone: Name, item: number): Cut | undefined {
      const known = front.get(zone.key);
      return known?.item === item ? known.cut : undefined;
    },
    put(item: number, cut: Cut): Cut {
      front.delete(cut.zone.key);
      const [oldest] = front.size < MAX_CUTS ? [] : front.keys();
      if (oldest !== undefined) front.delete(oldest);
      front.set(cut.zone.key, { item, cut });
      return cut;
    },
    forget: (zone: Name) => front.delete(zone.key),
  };
}
