import { beforeEach, describe, expect, test } from 'vitest';
import { type FakeRuntime, fakeRuntime } from '#runtime/fake';
import {
  createWaiting,
  LATE_BURST,
  LATE_MILLISECONDS,
  LATE_PER_SECOND,
  MAX_WAITING,
  type Ticket,
  WAITING_PER_CLIENT,
  WAITING_PER_NETWORK,
  WAITING_PER_PROVEN,
  type Waiting,
} from './waiting.ts';

let runtime: FakeRuntime;
let waiting: Waiting;
beforeEach(() => {
  runtime = fakeRuntime();
  waiting = createWaiting(runtime.clock);
});

const enter = (addresses: readonly string[], isProven = false): Ticket[] =>
  addresses.flatMap((address) => waiting.enter(address, () => isProven) ?? []);
const times = (count: number, address: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => address(index));
const sent = (tickets: readonly Ticket[]) => tickets.filter((ticket) => ticket.leave()).length;

test.each([
  { from: () => '192.0.2.1', isProven: false, held: WAITING_PER_CLIENT, why: 'one address' },
  { from: () => '192.0.2.1', isProven: true, held: WAITING_PER_PROVEN, why: 'that is proven' },
  {
    from: (index: number) => `192.0.2.${index % 256}`,
    isProven: false,
    held: WAITING_PER_NETWORK,
    why: 'a network that forges all its addresses',
  },
  {
    from: (index: number) => `2001:db8::${index.toString(16)}`,
    isProven: false,
    held: WAITING_PER_NETWORK,
    why: 'the same with IPv6',
  },
  {
    from: (index: number) => `10.${index >> 8}.${index & 255}.1`,
    isProven: false,
    held: MAX_WAITING,
    why: 'all networks together',
  },
])('$why: $held', ({ from, isProven, held }) => {
  expect(enter(times(3000, from), isProven)).toHaveLength(held);
  expect(waiting.size).toBe(held);
});

describe('when all places are taken', () => {
  const attackers = (index: number) => `198.51.${100 + Math.floor(index / 400)}.${index % 4}`;

  test('who holds most loses first, and the newcomer is let in', () => {
    const held = enter(times(MAX_WAITING, attackers));
    expect(held).toHaveLength(MAX_WAITING);
    const honest = enter(times(50, () => '192.0.2.1'));
    expect(honest).toHaveLength(50);
    expect(waiting.size).toBe(MAX_WAITING);
    expect(sent(honest)).toBe(50);
    // Fifty of the attackers’ are not answered.
    expect(sent(held)).toBe(MAX_WAITING - 50);
    expect(waiting.size).toBe(0);
  });

  test('those who hold most are not let in at each other’s expense', () => {
    enter(times(MAX_WAITING, attackers));
    expect(enter(['198.51.100.1'])).toHaveLength(0);
  });

  test('what had to go still counts for its network, since it still costs', () => {
    enter(times(MAX_WAITING, attackers));
    enter(times(2, () => '192.0.2.1'));
    // 400 under way in each network; what was displaced makes no room for more of the same.
    const more = times(200, () => '198.51.100.77');
    expect(enter(more).length).toBeLessThanOrEqual(WAITING_PER_NETWORK - 400);
  });
});

describe('late answers', () => {
  test('only a trickle of what was held back leaves at once (DNSBomb)', async () => {
    const held = enter(times(WAITING_PER_CLIENT, () => '192.0.2.1'));
    await runtime.clock.advance(LATE_MILLISECONDS + 1);
    expect(sent(held)).toBe(LATE_BURST);
  });

  test('what comes in time leaves, however much it is', async () => {
    const held = enter(times(WAITING_PER_CLIENT, () => '192.0.2.1'));
    await runtime.clock.advance(LATE_MILLISECONDS - 1);
    expect(sent(held)).toBe(WAITING_PER_CLIENT);
  });

  test('to who is proven all is sent', async () => {
    const held = enter(
      times(WAITING_PER_CLIENT, () => '192.0.2.1'),
      true,
    );
    await runtime.clock.advance(LATE_MILLISECONDS + 1);
    expect(sent(held)).toBe(WAITING_PER_CLIENT);
  });

  test('one by one they are sent', async () => {
    const held = enter(times(100, () => '192.0.2.1'));
    await runtime.clock.advance(LATE_MILLISECONDS + 1);
    let answered = 0;
    for (const ticket of held) {
      answered += ticket.leave() ? 1 : 0;
      await runtime.clock.advance(1_000 / LATE_PER_SECOND);
    }
    expect(answered).toBe(100);
  });
});
