/** Who waits to hear that a realm changed. */

type Listener = { readonly tell: () => void; readonly end: () => void };

/** A household's devices; more than this and somebody opens streams for their own sake. */
const MAX_FOR_REALM = 64;

export type Listeners = {
  /** Returns how to stop. */
  add(realm: string, listener: Listener): (() => void) | 'too-many';
  tell(realm: string): void;
  /** Of whatever somebody may have missed. */
  tellAll(): void;
  /** Has the realm's listeners come again, and show that they still may. */
  end(realm: string): void;
  endAll(): void;
  count(): number;
};

/** Nobody listens yet. */
export function createListeners(): Listeners {
  const byRealm = new Map<string, Set<Listener>>();
  const each = (realm: string, act: (listener: Listener) => void): void => {
    for (const listener of byRealm.get(realm) ?? []) act(listener);
  };
  return {
    add(realm, listener) {
      const listeners = byRealm.get(realm) ?? new Set();
      if (listeners.size >= MAX_FOR_REALM) return 'too-many';
      byRealm.set(realm, listeners.add(listener));
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) byRealm.delete(realm);
      };
    },
    tell: (realm) => each(realm, ({ tell }) => tell()),
    end: (realm) => each(realm, ({ end }) => end()),
    tellAll() {
      for (const realm of byRealm.keys()) each(realm, ({ tell }) => tell());
    },
    endAll() {
      for (const realm of byRealm.keys()) each(realm, ({ end }) => end());
    },
    count: () => [...byRealm.values()].reduce((sum, { size }) => sum + size, 0),
  };
}
