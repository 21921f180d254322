/** Streams over a clock that is moved by hand. */

import { describe, expect, test } from 'vitest';
import type { LiveEvent } from './backend.ts';
import { createEventHub, KEEPALIVE_MS, MAX_STREAMS, type StreamOptions } from './events.ts';

function setUp() {
  let now = 0;
  const timers = new Set<{ at: number; callback: () => void }>();
  let tell: (event: LiveEvent) => void = () => {};
  const clock = {
    now: () => 36 ** 3 / 1000,
    after(milliseconds: number, callback: () => void) {
      const timer = { at: now + milliseconds, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
  };
  const hub = createEventHub(clock, (listener) => {
    tell = listener;
    return () => {};
  });

  async function advance(milliseconds: number): Promise<void> {
    now += milliseconds;
    for (const timer of timers) {
      if (timer.at > now) continue;
      timers.delete(timer);
      timer.callback();
    }
    await settled();
  }

  function open(options: Partial<StreamOptions> = {}) {
    const body = hub.open({
      topics: new Set(),
      lastEventId: undefined,
      isWelcome: () => true,
      ...options,
    });
    return body === undefined ? undefined : body.getReader();
  }
  return { hub, advance, open, tell: (event: LiveEvent) => tell(event), timers };
}

type Reader = NonNullable<ReturnType<ReturnType<typeof setUp>['open']>>;

const head = (id: string): LiveEvent => ({ topic: 'head', data: { head: id } });
const settled = async () => {
  for (let turn = 0; turn < 8; turn++) await Promise.resolve();
};

async function next(reader: Reader | undefined): Promise<string | undefined> {
  const { value, done } = (await reader?.read()) ?? { done: true, value: undefined };
  return done ? undefined : new TextDecoder().decode(value);
}

describe('a stream', () => {
  test('is framed with an id, a name and one line of JSON', async () => {
    const { open, tell } = setUp();
    const reader = open();
    expect(await next(reader)).toBe('retry: 2000\n\n');
    tell(head('a\nb'));
    expect(await next(reader)).toBe('id: 1000-1\nevent: head\ndata: {"head":"a\\nb"}\n\n');
  });

  test('brings only the topics that were asked for', async () => {
    const { open, tell } = setUp();
    const reader = open({ topics: new Set(['status']) });
    await next(reader);
    tell(head('1'));
    tell({ topic: 'status', data: {} });
    expect(await next(reader)).toContain('event: status');
  });

  test.each([
    { last: '1000-1', first: 'retry: 2000\n\nid: 1000-2\n', why: 'one event was missed' },
    { last: '1000-2', first: 'retry: 2000\n\n', why: 'nothing was missed' },
    { last: '', first: 'retry: 2000\n\n', why: 'a first visit' },
    { last: 'zzz-2', first: 'retry: 2000\n\nid: 1000-2\nevent: gap\n', why: 'an earlier start' },
    { last: '1000-9', first: 'retry: 2000\n\nid: 1000-2\nevent: gap\n', why: 'from the future' },
    { last: 'x\ny', first: 'retry: 2000\n\nid: 1000-2\nevent: gap\n', why: 'nonsense' },
  ])('after Last-Event-ID $last: $why', async ({ last, first, why }) => {
    const { open, tell } = setUp();
    tell(head('1'));
    tell(head('2'));
    const got = (await next(open({ lastEventId: last }))) ?? '';
    expect(got.startsWith(first), why).toBe(true);
    if (first === 'retry: 2000\n\n') expect(got).toBe(first);
  });

  test('says `gap` when the ring has forgotten what was missed', async () => {
    const { open, tell } = setUp();
    for (let round = 0; round < 300; round++) tell(head(String(round)));
    expect(await next(open({ lastEventId: '1000-43' }))).toContain('event: gap');
    expect(await next(open({ lastEventId: '1000-44' }))).toContain('id: 1000-45\n');
  });

  test('is kept alive every 15 s, and cut off when the session is over', async () => {
    const { open, advance } = setUp();
    let isWelcome = true;
    const reader = open({ isWelcome: () => isWelcome });
    await next(reader);
    await advance(KEEPALIVE_MS - 1);
    await advance(1);
    expect(await next(reader)).toBe(': still here\n\n');
    isWelcome = false;
    await advance(KEEPALIVE_MS);
    expect(await next(reader)).toBeUndefined();
  });

  test('ends when its reader falls behind, and leaves no timer', async () => {
    const { open, tell, timers } = setUp();
    const reader = open();
    expect(timers.size).toBe(1);
    for (let round = 0; round < 500; round++) tell(head(String(round)));
    expect(timers.size).toBe(0);
    let frames = 0;
    while ((await next(reader)) !== undefined) frames += 1;
    expect(frames).toBeLessThan(140);
  });

  test('there are at most eight, and one that is left makes room', async () => {
    const { open, hub } = setUp();
    const readers = Array.from({ length: MAX_STREAMS }, () => open());
    expect(open()).toBeUndefined();
    await readers[0]?.cancel();
    const last = open();
    await next(last);
    hub.close();
    expect(await next(last)).toBeUndefined();
  });
});
