/**
 * Real answers to spoil: what NSD and Knot say to our resolver about signed zones, and a fake
 * network on which the same servers say it again.
 */

import { createResolver, type Resolver } from '#resolver';
import type { Udp } from '#runtime';
import {
  fakeNetwork,
  fakeRuntime,
  type ManualClock,
  manualClock,
  seededRandom,
} from '#runtime/fake';
import {
  type Asking,
  type Draw,
  drawsFrom,
  questionFrom,
} from '../conformance/side-by-side-questions.ts';
import { openSideBySide, type Said } from '../conformance/side-by-side-stand.ts';
import { type LabZone, ZONES } from '../conformance/side-by-side-zones.ts';
import { ROOT } from '../conformance/validation-stand.ts';
import { endOfQuestion } from './mutate.ts';

const NAMES = [
  ...['p256-nsec', 'p256-nsec3', 'p256-optout', 'rsa-nsec3', 'rsa-optout', 'ed-nsec', 'ed-nsec3'],
  ...['plain-nsd', 'expired', 'wwwbad', 'halfds', 'salted', 'many', 'nonsec3', 'bits'],
  ...['kid.p256-nsec3', 'free.p256-optout', 'kid.ed-nsec'],
];

/** BIND's address is every fake host's own. */
const SERVED: readonly LabZone[] = ZONES.filter(({ name }) => NAMES.includes(name)).map((zone) =>
  zone.host === 'bind' ? { ...zone, host: 'knot' } : zone,
);

/** A question and its right answer. */
export type Asked = Asking & { readonly right: Said };

export type Recording = {
  readonly anchor: string;
  /** Replies by server and question. */
  readonly replies: ReadonlyMap<string, Uint8Array>;
  readonly corpus: readonly Uint8Array[];
  readonly questions: readonly Asked[];
};

/** Asks `count` questions of the real servers and keeps what they say. */
export async function record(seed: number, count: number): Promise<Recording> {
  const draw = drawsFrom(seed);
  const replies = new Map<string, Uint8Array>();
  await using stand = await openSideBySide(SERVED, draw, (reply, from) => {
    replies.set(keyOf(from.address, reply), reply.slice());
  });
  const questions: Asked[] = [];
  for (let left = count; left > 0; left--) {
    const asking = questionFrom(draw, SERVED);
    questions.push({ ...asking, right: await stand.ours(asking) });
  }
  return { anchor: stand.anchor, replies, corpus: [...replies.values()], questions };
}

/** A question without regard to case. */
function keyOf(server: string, packet: Uint8Array): string {
  const question = packet.subarray(12, endOfQuestion(packet));
  return `${server} ${Buffer.from(question).toString('latin1').toLowerCase()}`;
}

export type Replay = AsyncDisposable & {
  readonly clock: ManualClock;
  readonly resolver: Resolver;
  /** Errors that the resolver logged: mistakes of ours that it survived. */
  readonly errors: readonly string[];
};

/** A resolver whose servers say what was recorded, after `spoil`. */
export async function replay(
  { anchor, replies }: Recording,
  draw: Draw,
  spoil: (reply: Uint8Array, draw: Draw) => Uint8Array,
  cacheBytes: number,
): Promise<Replay> {
  const clock = manualClock({ now: Date.now() / 1000 });
  const network = fakeNetwork(clock, seededRandom('fuzz'));
  for (const address of new Set([...replies.keys()].map((key) => key.split(' ', 1)[0] ?? ''))) {
    const elsewhere = address.replace(REAL, FAKE);
    const host = network.join(elsewhere);
    const socket = await host.udp.bind({ address: elsewhere, port: 53 }, (data, from) => {
      const reply = replies.get(keyOf(address, data));
      if (reply === undefined) return;
      const spoiled = spoil(answerTo(data, reply), draw);
      socket.send(spoiled, from);
    });
  }
  const errors: string[] = [];
  const runtime = fakeRuntime({ clock, network, addresses: ['203.0.113.1'] });
  const log: typeof runtime.log = Object.assign(
    (...args: Parameters<typeof runtime.log>) => {
      if (args[0] === 'error') errors.push(JSON.stringify(args));
    },
    { lines: [] },
  );
  const resolver = createResolver(
    { ...runtime, udp: redirected(runtime.udp), log },
    {
      listen: [],
      before: () => ({ kind: 'recurse' }),
      rootHints: [{ name: 'ns.', addresses: [ROOT] }],
      trustAnchors: [anchor],
      allowPrivateUpstream: true,
      localZones: false,
      cacheBytes,
    },
  );
  return {
    clock,
    resolver,
    errors,
    [Symbol.asyncDispose]: () => resolver[Symbol.asyncDispose](),
  };
}

/** In the fake network as in the real one, each host has a loopback of its own. */
const REAL = '127.53.0.';
const FAKE = '198.51.100.';

function redirected(udp: Udp): Udp {
  return {
    async bind(local, receive) {
      const socket = await udp.bind(local, (data, from) =>
        receive(data, { ...from, address: from.address.replace(FAKE, REAL) }),
      );
      return {
        local: socket.local,
        send: (data, to) => socket.send(data, { ...to, address: to.address.replace(REAL, FAKE) }),
        [Symbol.asyncDispose]: () => socket[Symbol.asyncDispose](),
      };
    },
  };
}

/** The recorded reply with this query's id and question. */
function answerTo(query: Uint8Array, reply: Uint8Array): Uint8Array {
  const answer = reply.slice();
  answer.set(query.subarray(0, 2), 0);
  answer.set(query.subarray(12, endOfQuestion(query)), 12);
  return answer;
}
