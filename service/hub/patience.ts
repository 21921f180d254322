/**
 * How long the database is waited for, and by how many: one that hangs must hold neither whoever asks
 * nor, in the end, all the memory there is.
 */

import type { Clock } from '#runtime';
import type { HubDatabase } from './database.ts';

/** More than a statement may take. */
const ANSWER_MS = 15_000;
/** What a whole community asks at once is done in a second; behind that many there is no end. */
const MAX_WAITING = 1_000;

/** The same database, with questions that fail when they take too long or are too many. */
export function withPatience(clock: Pick<Clock, 'after'>, database: HubDatabase): HubDatabase {
  let waiting = 0;
  const inTime =
    <Asked extends readonly unknown[], Answer>(ask: (...asked: Asked) => Promise<Answer>) =>
    async (...asked: Asked): Promise<Answer> => {
      if (waiting >= MAX_WAITING) throw new Error('too many wait for the database');
      waiting += 1;
      // Given up is not ended: until it has, what was asked is still held.
      const answer = ask(...asked).finally(() => {
        waiting -= 1;
      });
      const late = Promise.withResolvers<never>();
      const cancel = clock.after(ANSWER_MS, () =>
        late.reject(new Error('the database does not answer')),
      );
      return Promise.race([answer, late.promise]).finally(cancel);
    };
  return {
    ...database,
    role: inTime(database.role),
    state: inTime(database.state),
    missing: inTime(database.missing),
    store: inTime(database.store),
    begin: inTime(database.begin),
    admit: inTime(database.admit),
    dismiss: inTime(database.dismiss),
    publish: inTime(database.publish),
    size: inTime(database.size),
  };
}
