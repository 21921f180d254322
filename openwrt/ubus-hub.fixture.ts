/**
 * A message bus for tests: speaks ubusd's bytes over connections in memory.
 *
 * It does what ubusd does with HELLO, LOOKUP, ADD_OBJECT, REMOVE_OBJECT, INVOKE, SUBSCRIBE and
 * NOTIFY, without access control, events or monitoring; it can die and come back, and cut what it
 * says into pieces of any size.
 *
 * @see ubus `ubusd_proto.c`
 */

import type { Clock, Connection, Endpoint, Path, Tcp } from '#runtime';
import { RuntimeError } from '#runtime';
import {
  createUbusReader,
  encodeUbusMessage,
  UBUS_MESSAGE,
  type UbusFields,
  type UbusMessage,
} from './ubus-message.ts';

type HubObject = {
  readonly id: number;
  readonly path: string | undefined;
  readonly signature: UbusFields['signature'];
  readonly owner: HubClient;
  readonly subscribers: Set<HubObject>;
};

type HubClient = {
  readonly id: number;
  readonly say: (bytes: Uint8Array) => void;
  readonly hangUp: () => void;
};

export type Hub = {
  readonly tcp: Tcp;
  /** Bytes in each chunk that a client reads; Infinity keeps what was written together. */
  chunkSize: number;
  /** Every message that arrived, oldest first. */
  readonly heard: UbusMessage[];
  /** Drops every connection and forgets every object; refuses until `start`. */
  stop(): void;
  start(): void;
  /** Takes no more connections' messages, as a hung daemon. */
  deaf: boolean;
  /** Sends raw bytes to every client. */
  shout(bytes: Uint8Array): void;
  paths(): string[];
};

/** Makes a bus that is running. */
export function createHub(): Hub {
  const bus = new Bus();
  return bus;
}

class Bus implements Hub {
  chunkSize = Number.POSITIVE_INFINITY;
  deaf = false;
  readonly heard: UbusMessage[] = [];
  readonly tcp: Tcp;
  readonly #clients = new Set<HubClient>();
  readonly #objects = new Map<number, HubObject>();
  #isRunning = true;
  // Ids above 2^31, as ubusd's random ones often are.
  #nextId = 0xc041_48dd;

  constructor() {
    this.tcp = {
      listen: () => Promise.reject(new RuntimeError('denied', 'the hub only answers')),
      connect: (remote) =>
        this.#isRunning
          ? Promise.resolve(this.#accept(remote))
          : Promise.reject(new RuntimeError('refused', 'no ubusd')),
    };
  }

  stop(): void {
    this.#isRunning = false;
    for (const client of this.#clients) client.hangUp();
    this.#clients.clear();
    this.#objects.clear();
  }

  start(): void {
    this.#isRunning = true;
  }

  shout(bytes: Uint8Array): void {
    for (const client of this.#clients) client.say(bytes);
  }

  paths(): string[] {
    return [...this.#objects.values()].flatMap(({ path }) => (path === undefined ? [] : [path]));
  }

  #accept(remote: Endpoint | Path): Connection {
    const pipe = createPipe();
    const read = createUbusReader();
    const client: HubClient = {
      id: this.#newId(),
      say: (bytes) => {
        for (let at = 0; at < bytes.length; at += this.chunkSize) {
          pipe.push(bytes.slice(at, at + this.chunkSize));
        }
      },
      hangUp: pipe.end,
    };
    this.#clients.add(client);
    tell(client, UBUS_MESSAGE.hello, 0, client.id, {});
    return {
      remote,
      received: pipe.read,
      write: async (data) => {
        const result = read(data);
        if (!result.ok) return this.#leave(client);
        for (const message of result.messages) this.#hear(client, message);
      },
      abort: () => this.#leave(client),
      [Symbol.asyncDispose]: async () => this.#leave(client),
    };
  }

  #leave(client: HubClient): void {
    this.#clients.delete(client);
    client.hangUp();
    for (const object of this.#objects.values()) {
      if (object.owner === client) this.#remove(object);
    }
  }

  #remove(object: HubObject): void {
    this.#objects.delete(object.id);
    for (const other of this.#objects.values()) other.subscribers.delete(object);
    for (const { owner, id } of object.subscribers) {
      tell(owner, UBUS_MESSAGE.unsubscribe, 0, 0, { objectId: id, target: object.id });
    }
  }

  #hear(client: HubClient, message: UbusMessage): void {
    this.heard.push(message);
    if (this.deaf) return;
    const status = this.#obey(client, message);
    if (status === undefined) return;
    tell(client, UBUS_MESSAGE.status, message.sequence, message.peer, { status });
  }

  /** The status to answer with, or undefined when somebody else will. */
  #obey(client: HubClient, message: UbusMessage): number | undefined {
    switch (message.type) {
      case UBUS_MESSAGE.addObject:
        return this.#add(client, message);
      case UBUS_MESSAGE.removeObject:
        return this.#removeOwn(client, message);
      case UBUS_MESSAGE.lookup:
        return this.#lookUp(client, message);
      case UBUS_MESSAGE.invoke:
        return this.#invoke(client, message);
      case UBUS_MESSAGE.subscribe:
        return this.#subscribe(message);
      case UBUS_MESSAGE.notify:
        return this.#notify(client, message);
      case UBUS_MESSAGE.data:
      case UBUS_MESSAGE.status:
        return this.#passBack(message);
      default:
        return 1;
    }
  }

  #add(client: HubClient, { sequence, peer, fields }: UbusMessage): number {
    const { path, signature } = fields;
    if (path !== undefined && this.#find(path) !== undefined) return 2;
    const id = this.#newId();
    this.#objects.set(id, { id, path, signature, owner: client, subscribers: new Set() });
    tell(client, UBUS_MESSAGE.data, sequence, peer, { objectId: id, objectType: 1 });
    return 0;
  }

  #removeOwn(client: HubClient, { fields }: UbusMessage): number {
    const object = this.#objects.get(fields.objectId ?? 0);
    if (object?.owner !== client) return 4;
    this.#remove(object);
    return 0;
  }

  #lookUp(client: HubClient, { sequence, peer, fields }: UbusMessage): number {
    const object = this.#find(fields.path);
    if (object?.path === undefined) return 4;
    const { id, path, signature } = object;
    tell(client, UBUS_MESSAGE.data, sequence, peer, {
      path,
      objectId: id,
      objectType: 1,
      ...(signature === undefined ? {} : { signature }),
    });
    return 0;
  }

  #invoke(client: HubClient, message: UbusMessage): number | undefined {
    const object = this.#objects.get(message.fields.objectId ?? 0);
    if (object === undefined) return 4;
    const fields = { ...message.fields, user: 'root', group: 'root' };
    tell(object.owner, UBUS_MESSAGE.invoke, message.sequence, client.id, fields);
    return undefined;
  }

  #subscribe({ fields }: UbusMessage): number {
    const own = this.#objects.get(fields.objectId ?? 0);
    const target = this.#objects.get(fields.target ?? 0);
    if (own === undefined || target === undefined) return 4;
    target.subscribers.add(own);
    return 0;
  }

  #notify(client: HubClient, { sequence, fields }: UbusMessage): undefined {
    const object = this.#objects.get(fields.objectId ?? 0);
    for (const { id, owner } of object?.subscribers ?? []) {
      tell(owner, UBUS_MESSAGE.invoke, sequence, client.id, { ...fields, objectId: id });
    }
  }

  /** An answer goes to the client it names; for that client it comes from the object. */
  #passBack({ type, sequence, peer, fields }: UbusMessage): undefined {
    const caller = [...this.#clients].find(({ id }) => id === peer);
    if (caller !== undefined) tell(caller, type, sequence, fields.objectId ?? 0, fields);
  }

  #find(path: string | undefined): HubObject | undefined {
    return [...this.#objects.values()].find((object) => object.path === path);
  }

  #newId(): number {
    this.#nextId += 1;
    return this.#nextId;
  }
}

function tell(
  { say }: HubClient,
  type: number,
  sequence: number,
  peer: number,
  fields: UbusFields,
): void {
  const bytes = encodeUbusMessage({ type, sequence, peer, fields });
  if (bytes === undefined) throw new Error('unreachable: the hub says nothing long');
  say(bytes);
}

/** A queue of chunks with an end. */
function createPipe() {
  const chunks: Uint8Array[] = [];
  let isOver = false;
  let wake: () => void = () => undefined;
  return {
    push: (chunk: Uint8Array) => {
      chunks.push(chunk);
      wake();
    },
    end: () => {
      isOver = true;
      wake();
    },
    async *read() {
      while (true) {
        const chunk = chunks.shift();
        if (chunk !== undefined) yield chunk;
        else if (isOver) return;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}

/** A clock that only moves when told. */
export function createHandClock(): Clock & { advance(milliseconds: number): Promise<void> } {
  let now = 0;
  const alarms = new Map<() => void, number>();
  const after = (milliseconds: number, callback: () => void) => {
    const alarm = () => callback();
    alarms.set(alarm, now + milliseconds);
    return () => void alarms.delete(alarm);
  };
  return {
    now: () => now / 1000,
    monotonic: () => now,
    isSet: () => true,
    after,
    sleep: (milliseconds, signal) =>
      new Promise((resolve, reject) => {
        const cancel = after(milliseconds, resolve);
        const abort = () => {
          cancel();
          reject(signal?.reason);
        };
        if (signal?.aborted === true) abort();
        else signal?.addEventListener('abort', abort);
      }),
    async advance(milliseconds) {
      const until = now + milliseconds;
      while (true) {
        await settle();
        const [next] = [...alarms].sort(([, a], [, b]) => a - b);
        if (next === undefined || next[1] > until) break;
        now = next[1];
        alarms.delete(next[0]);
        next[0]();
      }
      now = until;
      await settle();
    },
  };
}

/** Lets everything that is ready happen. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 200; turn += 1) await Promise.resolve();
}
