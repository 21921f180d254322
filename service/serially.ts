/** One after the other: steps that would lose each other's work if they overlapped. */

/** Runs each action when those before it are done, however they ended. */
export type Serially = <T>(action: () => Promise<T>) => Promise<T>;

/** A line of its own; what one action throws is its caller's alone. */
export function createSerially(): Serially {
  let last: Promise<unknown> = Promise.resolve();
  return (action) => {
    const result = last.then(action);
    last = result.catch(() => undefined);
    return result;
  };
}
