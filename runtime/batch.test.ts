import { expect, test } from 'vitest';
import { absenceOf, refusalOf } from './batch.ts';
import type { Native } from './batch-native.ts';

const EAGAIN = 11;

/** A C library whose calls return these. */
function native(results: {
  readonly socket?: number;
  readonly recvmmsg?: number;
  readonly sendmmsg?: number;
  readonly errno?: number;
}): Native & { readonly closed: number[] } {
  const { socket = 5, recvmmsg = -1, sendmmsg = 0, errno = EAGAIN } = results;
  const closed: number[] = [];
  return {
    ...{ bind: () => 0, setsockopt: () => 0, getsockname: () => 0, shutdown: () => 0 },
    ...{ poll: () => 0, clock: () => 0, addressOf: () => 1n },
    socket: () => socket,
    recvmmsg: () => recvmmsg,
    sendmmsg: () => sendmmsg,
    errno: () => errno,
    close: (handle) => closed.push(handle),
    closed,
  };
}

test.each([
  { results: {}, refusal: undefined, why: 'nothing is there to be received' },
  { results: { recvmmsg: 0 }, refusal: undefined, why: 'nothing was received' },
  { results: { errno: 38 }, refusal: 'recvmmsg is refused (38)', why: 'a kernel without it' },
  { results: { errno: 1 }, refusal: 'recvmmsg is refused (1)', why: 'a sandbox' },
  {
    results: { recvmmsg: 0, sendmmsg: -1, errno: 1 },
    refusal: 'sendmmsg is refused (1)',
    why: 'a sandbox that lets nothing out',
  },
  { results: { socket: -1, errno: 24 }, refusal: 'socket is refused (24)', why: 'no files left' },
])('$why: $refusal', ({ results, refusal }) => {
  const calls = native(results);
  expect(refusalOf(calls)).toBe(refusal);
  expect(calls.closed).toEqual(results.socket === -1 ? [] : [5]);
});

test.each([
  {
    thrown: new Error("Cannot find module 'x'\nRequire stack:\n- /a\n- /b"),
    reason: "koffi: Cannot find module 'x' Require stack: - /a - /b",
    why: 'a module that is not there',
  },
  { thrown: 'no', reason: 'koffi: no', why: 'what is no error' },
])('$why is told in one line', ({ thrown, reason }) => {
  expect(absenceOf('koffi', thrown)).toBe(reason);
});
