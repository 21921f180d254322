/** The engine over a store, a `uci` and a guard of the test's own; no program is real. */

import { deviceId } from '#identity';
import { type FakeRuntime, fakeRuntime } from '#runtime/fake';
import { openStore, type Store } from '#storage';
import { type Engine, startEngine } from './engine.ts';
import { createGuard } from './guard.ts';
import { GUARD, type Router } from './router.fixture.ts';
import { createUci } from './uci.ts';

/** Of commits that tests make. */
export const COMMIT = { message: 'x', via: 'cli' } as const;

export type Home = {
  readonly router: Router;
  readonly store: Store;
  readonly engine: Engine;
  readonly runtime: FakeRuntime;
  set(option: string, value: string, rest?: object): Promise<void>;
  /** Lets time pass, a little at a time. */
  pass(milliseconds: number): Promise<void>;
  status(): Record<string, unknown> | undefined;
};

const SEED = fakeRuntime({ seed: 'realm' }).crypto;
const KEY = await SEED.generateSigningKey('ed25519');
/** The device that it runs on. */
export const SELF = deviceId(SEED, KEY.publicKey);

type Options = {
  readonly runtime: FakeRuntime;
  readonly mayConfirm: boolean;
  readonly problem: () => string | undefined;
  readonly isBehind: () => boolean;
};

/** Opens it on a router. */
export async function open(router: Router, options: Partial<Options> = {}): Promise<Home> {
  const { runtime = router.runtime, mayConfirm = true, problem = () => undefined } = options;
  const { isBehind = () => false } = options;
  const store = await openStore(runtime, {
    ...{ directory: '/data/store', isBehind },
    writer: {
      deviceId: SELF,
      name: 'router',
      signer: runtime.crypto.signer('ed25519', KEY.privateKey),
    },
  });
  const engine = await startEngine(runtime, {
    ...{ store, self: SELF, directory: '/data', seconds: 0 },
    guard: createGuard(runtime.exec, GUARD),
    uci: createUci(runtime.exec),
    health: { failing: async () => router.failing },
    problemsOf: () => [problem()].filter((each) => each !== undefined),
    confirmedBy: async () => (mayConfirm ? 'phone' : undefined),
  });
  const pass = async (milliseconds: number): Promise<void> => {
    for (let passed = 0; passed < milliseconds; passed += 1_000) {
      await runtime.clock.advance(1_000);
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return {
    ...{ router, store, engine, runtime, pass },
    async set(option, value, rest = {}) {
      const record = { device: SELF, option, value, ...rest };
      await store.commit({
        ...COMMIT,
        ops: [{ op: 'set', path: `options/${option}`, value: record }],
      });
      await pass(1_000);
    },
    status: () => store.state().get('status')?.get(SELF),
  };
}

/** A plain option, and a risky one. */
export const ZONE = 'system.main.zonename';
export const LAN = 'network.lan.ipaddr';
