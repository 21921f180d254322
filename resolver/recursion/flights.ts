/**
 * Work under way, by what it is for: who wants the same waits for the same.
 *
 * A map that is filled and emptied all the time moves to a new table again and again, and V8 keeps
 * old tables, with all that was in them, until its next major collection. So what is in them is a
 * box, and the box is emptied.
 */

type Box<Value> = { promise: Promise<Value> | undefined };

export type Flights<Value> = {
  find(key: string): Promise<Value> | undefined;
  /** Notes what `work` is for until it is done; it begins at once. */
  start(key: string, work: () => Promise<Value>): Promise<Value>;
  readonly size: number;
};

/** None under way. */
export function createFlights<Value>(): Flights<Value> {
  const boxes = new Map<string, Box<Value>>();

  async function run(key: string, box: Box<Value>, work: () => Promise<Value>): Promise<Value> {
    try {
      return await work();
    } finally {
      box.promise = undefined;
      boxes.delete(key);
    }
  }

  return {
    find: (key) => boxes.get(key)?.promise,
    start(key, work) {
      const box: Box<Value> = { promise: undefined };
      boxes.set(key, box);
      const promise = run(key, box, work);
      box.promise = promise;
      return promise;
    },
    get size() {
      return boxes.size;
    },
  };
}
