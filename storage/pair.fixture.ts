/**
 * Two owners that hold the same: a founder, and a second one whose disk a test can hold.
 */

import { type FakeRuntime, fakeRuntime, type ManualClock } from '#runtime/fake';
import { someone } from './members.fixture.ts';
import { DIRECTORY, openFounder, signerOf } from './realm.fixture.ts';
import type { StoreOptions } from './realm.ts';
import { openStore, type Store } from './store.ts';

const SECOND = someone(2);

/** The id of the second owner. */
export const LAPTOP = SECOND.id;

/** A founder and another owner, each on a machine of its own. */
export async function pair(clock?: ManualClock, options: Partial<StoreOptions> = {}) {
  const on = (): FakeRuntime => fakeRuntime(clock === undefined ? {} : { clock });
  const [home, away] = [on(), on()];
  const first = await openFounder(home, options);
  const value = { role: 'owner', rank: 2, name: 'Laptop', signingKey: SECOND.signingKey };
  await first.commit({
    ops: [{ op: 'set', path: SECOND.path, value }],
    message: 'Let the laptop in',
    via: 'test',
  });
  const openSecond = () => openLaptop(away, { realm: first.realm, ...options });
  const second = await openSecond();
  await send(first, second);
  return { first, second, home, away, openSecond };
}

/** Opens the second owner's store. */
export function openLaptop(runtime: FakeRuntime, options: Partial<StoreOptions>): Promise<Store> {
  const writer = { deviceId: LAPTOP, name: 'Laptop', signer: signerOf(runtime.crypto, 2) };
  return openStore(runtime, { directory: DIRECTORY, writer, ...options });
}

/** Gives one store what another has. */
export async function send(from: Store, to: Store) {
  for (;;) {
    const page = await from.exportMissing(to.vector());
    if (page.length === 0) return;
    const { added, refused } = await to.importCommits(page);
    if (refused[0] !== undefined) throw refused[0].reason;
    if (added === 0) return;
  }
}
