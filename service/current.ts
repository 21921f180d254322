/**
 * What holds now: the head's state projected, the policy and the signed zone made of it, renewed with
 * each commit and whenever a schedule says that a decision changes.
 */

import { createPolicy, type PolicyInput, type Rule } from '#policy';
import { type Anchor, type Authority, anchor, buildZone, createAuthority } from '#resolver';
import type { Runtime } from '#runtime';
import type { Desired } from '#tunnels';
import type { Household } from './dns/ruling.ts';
import { type Projection, project, projectTunnels, type RealmDevice } from './project.ts';
import type { Realm } from './realm.ts';

export type Current = {
  readonly projection: () => Projection;
  readonly household: () => Household;
  readonly desired: () => Desired;
  readonly anchor: () => Anchor;
  /** This device as the store has it, or had it before it was removed. */
  readonly own: () => RealmDevice;
  readonly isRemoved: () => boolean;
  /** Where this device says that it can be reached, as `address:port` of the control port. */
  readonly endpoints: () => readonly string[];
  /** Asked when another device knocks. */
  readonly mayConnect: (device: string) => boolean;
  readonly onChange: (listener: () => void) => void;
  /** Adds rules that are not in the store; returns what to call when they changed. */
  readonly mount: (rules: () => readonly Rule[]) => () => void;
  readonly stop: () => void;
};

type Picture = {
  readonly projection: Projection;
  readonly household: Household;
  readonly desired: Desired;
};

/** Decisions without an end are looked at again now and then: the clock may have been set. */
const LOOK_AGAIN_SECONDS = 300;

/** Follows the store until stopped. */
export function createCurrent(runtime: Runtime, realm: Realm): Current {
  const { clock, crypto, log } = runtime;
  const { store, keys, endpoints } = realm;
  const listeners: (() => void)[] = [];
  let authority: Authority | undefined;
  let own: RealmDevice | undefined;
  let mounted = (): readonly Rule[] => [];
  let picture = paint();
  let cancel = schedule();

  function paint(): Picture {
    const context = { crypto, realm: store.realm, seq: store.seq };
    const projection = project(store.state(), context);
    authority = renewAuthority(runtime, realm, projection, authority);
    const { devices, settings } = projection;
    const found = devices.find(({ id }) => id === keys.id);
    own = found ?? own ?? formerly(realm, context);
    const isRemoved = found === undefined;
    const policy = createPolicy(policyInput(projection, mounted(), isRemoved ? own : undefined));
    const household = { apex: settings.apex, self: keys.id, devices, policy, authority, isRemoved };
    const mayConnect = ({ id }: RealmDevice) => decide(clock, household, id).allowed;
    const desired = projectTunnels(devices, keys.id, context, mayConnect);
    return { projection, household, desired };
  }

  function schedule(): () => void {
    const ends = picture.projection.devices.map(
      ({ id }) => decide(clock, picture.household, id).until,
    );
    const seconds = Math.min(
      LOOK_AGAIN_SECONDS,
      ...ends.filter((end) => end !== undefined).map((end) => end - clock.now()),
    );
    return clock.after(Math.max(0, seconds) * 1_000, renew);
  }

  function renew(): void {
    cancel();
    picture = paint();
    cancel = schedule();
    for (const listener of listeners) listener();
  }

  const stopWatching = store.watch(({ head }) => {
    log('info', 'head-moved', { head });
    renew();
  });
  return {
    projection: () => picture.projection,
    household: () => picture.household,
    desired: () => picture.desired,
    anchor: () => anchor(crypto, picture.projection.zone.apex, realm.zoneKeys),
    own: () => known(own),
    isRemoved: () => picture.household.isRemoved === true,
    endpoints,
    mayConnect: (device) => decide(clock, picture.household, device).allowed,
    onChange: (listener) => listeners.push(listener),
    mount(rules) {
      mounted = rules;
      return renew;
    },
    stop() {
      stopWatching();
      cancel();
    },
  };
}

/** Whether a device may connect with this one, and how long that holds. */
function decide(
  clock: Pick<Runtime['clock'], 'now' | 'isSet'>,
  { policy, self }: Household,
  device: string,
): { readonly allowed: boolean; readonly until: number | undefined } {
  const { effect, validUntil } = policy.decide({
    asker: { kind: 'device', id: device, strength: 'key' },
    verb: 'connect',
    resource: `device:${self}`,
    now: clock.now(),
    clockIsSet: clock.isSet(),
  });
  return { allowed: effect === 'allow', until: validUntil };
}

/** A zone that cannot be built leaves the last good one in place; its problems are told. */
function renewAuthority(
  { crypto, log }: Pick<Runtime, 'crypto' | 'log'>,
  { zoneKeys }: Realm,
  projection: Projection,
  previous: Authority | undefined,
): Authority {
  const built = buildZone(projection.zone);
  if (built.ok) {
    return (
      previous?.withZone(built.zone) ??
      createAuthority({ zone: built.zone, keys: zoneKeys, crypto })
    );
  }
  const problems = built.problems.map(({ reason, owner }) => `${owner} ${reason}`).join('; ');
  log('error', 'zone-not-built', { problems });
  if (previous === undefined) throw new Error(`the zone cannot be built: ${problems}`);
  return previous;
}

/** Whoever sits at a device that was removed (`former`) still reaches the internet through it. */
function policyInput(
  { policy, settings }: Projection,
  mounted: readonly Rule[],
  former: RealmDevice | undefined,
): PolicyInput {
  const rules = [...policy.rules, ...mounted];
  if (former === undefined) return { ...policy, rules };
  const { id, fqdn, kind } = former;
  const own = { id, name: fqdn, user: settings.user, kind };
  return { ...policy, rules, devices: [...policy.devices, own] };
}

function known(own: RealmDevice | undefined): RealmDevice {
  if (own === undefined) throw new Error('unreachable: this device never was in its realm');
  return own;
}

/** This device in the last state that had it. */
function formerly(
  { keys, former }: Realm,
  context: Parameters<typeof project>[1],
): RealmDevice | undefined {
  return former && project(former, context).devices.find(({ id }) => id === keys.id);
}
