import { expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import type { HubDatabase } from './database.ts';
import { withPatience } from './patience.ts';

const VISIT = { realm: 'a', device: 'b' };

/** A database that answers when it is told to. */
function slowDatabase() {
  const { clock } = fakeRuntime();
  const questions: PromiseWithResolvers<'member'>[] = [];
  const role = () => {
    const question = Promise.withResolvers<'member'>();
    questions.push(question);
    return question.promise;
  };
  const patient = withPatience(clock, { role } as Partial<HubDatabase> as HubDatabase);
  return { clock, questions, ask: () => patient.role(VISIT) };
}

const wordsOf = (asked: Promise<unknown>) =>
  asked.then(
    () => 'answered',
    (thrown: Error) => thrown.message,
  );

test('who is answered in time is answered', async () => {
  const { clock, questions, ask } = slowDatabase();
  const asked = ask();
  await clock.advance(14_000);
  questions[0]?.resolve('member');
  expect(await asked).toBe('member');
});

test('who is not answered is told so', async () => {
  const { clock, ask } = slowDatabase();
  const words = wordsOf(ask());
  await clock.advance(15_000);
  expect(await words).toBe('the database does not answer');
});

test('what fails fails with its own words', async () => {
  const { questions, ask } = slowDatabase();
  const words = wordsOf(ask());
  questions[0]?.reject(new Error('no connection'));
  expect(await words).toBe('no connection');
});

test('a thousand wait, also when they were told; nobody behind them, until one has ended', async () => {
  const { clock, questions, ask } = slowDatabase();
  const asked = Array.from({ length: 1_000 }, () => wordsOf(ask()));
  expect(await wordsOf(ask())).toBe('too many wait for the database');
  await clock.advance(15_000);
  expect(new Set(await Promise.all(asked))).toEqual(new Set(['the database does not answer']));
  expect(await wordsOf(ask())).toBe('too many wait for the database');
  questions[0]?.resolve('member');
  questions[1]?.reject(new Error('no connection'));
  await clock.advance(0);
  const [first, second] = [ask(), ask()];
  expect(await wordsOf(ask())).toBe('too many wait for the database');
  for (const question of questions) question.resolve('member');
  expect(await Promise.all([first, second])).toEqual(['member', 'member']);
});
