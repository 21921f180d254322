/**
 * A client of ubus, OpenWrt's message bus, over its unix socket: calls methods of others, publishes
 * objects, sends and takes notifications.
 *
 *   down ──connect──► greeting ──HELLO──► up ──end, error, nonsense──► down, wait, again
 *
 * Whatever was published or subscribed is a wish that outlives connections: after ubusd restarts,
 * every object is added and every subscription made again, and ids learned before are forgotten.
 * File descriptors on the bus and events (object 1) are not supported.
 *
 * @see ubus `ubusmsg.h`, `ubusd_proto.c`
 */

import type { Clock, Connection, Runtime } from '#runtime';
import { BLOB_TYPE, type BlobTable } from './blobmsg.ts';
import { UBUS_STATUS, type UbusStatus } from './status.ts';
import { Conversation, failed } from './ubus-conversation.ts';
import { UBUS_MESSAGE, type UbusFields, type UbusMessage } from './ubus-message.ts';

/** The answer to a call: every DATA that came before the STATUS, mostly one or none. */
export type CallResult =
  | { readonly ok: true; readonly data: readonly BlobTable[] }
  | { readonly ok: false; readonly status: UbusStatus };

/** What a published method answers. */
export type MethodResult =
  | { readonly ok: true; readonly data: BlobTable }
  | { readonly ok: false; readonly status: UbusStatus };

/** Who calls: the unix user and group of the caller's socket, as ubusd vouches for them. */
export type Caller = { readonly user: string; readonly group: string };

/** A method: its arguments' types, for `ubus -v list`, and what it does. */
export type UbusMethod = {
  readonly args: Readonly<Record<string, keyof typeof BLOB_TYPE>>;
  call(args: BlobTable, caller: Caller): Promise<MethodResult>;
};

export type UbusObject = {
  readonly path: string;
  readonly methods: Readonly<Record<string, UbusMethod>>;
};

/** A published object; disposing takes it off the bus. */
export type Publication = AsyncDisposable & {
  /** Tells whether ubusd has accepted the object on the present connection. */
  isPublished(): boolean;
  /** Sends a notification to the subscribers, if there are any. */
  notify(type: string, data: BlobTable): void;
};

export type Ubus = AsyncDisposable & {
  /** Tells whether ubusd has greeted us on the present connection. */
  isUp(): boolean;
  /** Calls a method. Fails at once with 'connection-failed' while the bus is down. */
  call(path: string, method: string, args?: BlobTable, timeoutMs?: number): Promise<CallResult>;
  publish(object: UbusObject): Publication;
  /** Listens to an object's notifications, also when the object appears later or comes back. */
  subscribe(path: string, listen: (type: string, data: BlobTable) => void): AsyncDisposable;
};

const DEFAULT_SOCKET = '/var/run/ubus/ubus.sock';
const CALL_TIMEOUT_MS = 30_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 30_000;
/** A path may be taken by a dying predecessor, a target may not have started: both pass. */
const WISH_RETRY_MS = 3_000;

/** Calls of others that run at once; the bus is for everyone, we are not. */
const MAX_SERVING = 64;

/** A thing we want on the bus: an object with methods, or a subscription's nameless object. */
type Wish = {
  readonly object: UbusObject | undefined;
  readonly target: string | undefined;
  readonly listen: (type: string, data: BlobTable) => void;
  id: number | undefined;
  granted: boolean;
};

/** Connects, and keeps connected until disposed. */
export function createUbus(
  runtime: Pick<Runtime, 'clock' | 'tcp' | 'log'>,
  options: { readonly path?: string } = {},
): Ubus {
  const client = new Client(runtime, options.path ?? DEFAULT_SOCKET);
  return {
    isUp: () => client.isUp(),
    call: (path, method, args = {}, timeoutMs = CALL_TIMEOUT_MS) =>
      client.call(path, method, args, timeoutMs),
    publish: (object) => {
      const wish = client.wish(object, undefined, () => undefined);
      return {
        isPublished: () => wish.granted,
        notify: (type, data) => client.notify(wish, type, data),
        [Symbol.asyncDispose]: () => client.forget(wish),
      };
    },
    subscribe: (path, listen) => {
      const wish = client.wish(undefined, path, listen);
      return { [Symbol.asyncDispose]: () => client.forget(wish) };
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}

class Client {
  readonly #runtime: Pick<Runtime, 'clock' | 'tcp' | 'log'>;
  readonly #path: string;
  readonly #wishes = new Set<Wish>();
  /** What lookups found; a restarted object has another id. */
  readonly #ids = new Map<string, number>();
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #conversation: Conversation | undefined;
  #serving = 0;

  constructor(runtime: Pick<Runtime, 'clock' | 'tcp' | 'log'>, path: string) {
    this.#runtime = runtime;
    this.#path = path;
    this.#running = this.#run();
  }

  isUp(): boolean {
    return this.#conversation?.isUp === true;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#conversation?.hangUp();
    await this.#running;
  }

  async call(
    path: string,
    method: string,
    args: BlobTable,
    timeoutMs: number,
  ): Promise<CallResult> {
    const known = this.#ids.get(path);
    const id = known ?? (await this.#lookUp(path, timeoutMs));
    if (typeof id === 'string') return failed(id);
    const result = await this.#invoke(id, method, args, timeoutMs);
    if (known === undefined || result.ok || result.status !== 'not-found') return result;
    // The object may be gone, or the method may have said so: only another id tells them apart.
    this.#ids.delete(path);
    const again = await this.#lookUp(path, timeoutMs);
    if (typeof again === 'string' || again === known) return result;
    return this.#invoke(again, method, args, timeoutMs);
  }

  wish(
    object: UbusObject | undefined,
    target: string | undefined,
    listen: (type: string, data: BlobTable) => void,
  ): Wish {
    const wish: Wish = { object, target, listen, id: undefined, granted: false };
    this.#wishes.add(wish);
    if (this.#conversation?.isUp === true) void this.#grant(wish, this.#conversation);
    return wish;
  }

  async forget(wish: Wish): Promise<void> {
    const { id } = wish;
    this.#wishes.delete(wish);
    wish.id = undefined;
    wish.granted = false;
    if (id !== undefined) await this.#request(UBUS_MESSAGE.removeObject, 0, { objectId: id });
  }

  notify(wish: Wish, type: string, data: BlobTable): void {
    if (wish.id === undefined || !wish.granted) return;
    this.#conversation?.notify(wish.id, { method: type, data });
  }

  #request(type: number, peer: number, fields: UbusFields, timeoutMs = CALL_TIMEOUT_MS) {
    return (
      this.#conversation?.request(type, peer, fields, timeoutMs) ??
      Promise.resolve(failed('connection-failed'))
    );
  }

  async #invoke(
    id: number,
    method: string,
    args: BlobTable,
    timeoutMs: number,
  ): Promise<CallResult> {
    const fields = { objectId: id, method, data: args };
    const reply = await this.#request(UBUS_MESSAGE.invoke, id, fields, timeoutMs);
    return reply.ok ? { ok: true, data: reply.data.map((item) => item.data ?? {}) } : reply;
  }

  async #lookUp(path: string, timeoutMs?: number): Promise<number | UbusStatus> {
    const reply = await this.#request(UBUS_MESSAGE.lookup, 0, { path }, timeoutMs);
    if (!reply.ok) return reply.status;
    const id = reply.data.find((item) => item.path === path)?.objectId;
    if (id === undefined) return 'not-found';
    this.#ids.set(path, id);
    return id;
  }

  async #run(): Promise<void> {
    let retryMs = FIRST_RETRY_MS;
    while (!this.#stop.signal.aborted) {
      const connection = await this.#connect();
      const greeted = connection !== undefined && (await this.#converse(connection));
      retryMs = greeted ? FIRST_RETRY_MS : Math.min(retryMs * 2, LAST_RETRY_MS);
      await pause(this.#runtime.clock, retryMs, this.#stop.signal);
    }
  }

  async #connect(): Promise<Connection | undefined> {
    try {
      return await this.#runtime.tcp.connect({ path: this.#path });
    } catch (thrown) {
      this.#runtime.log('debug', 'ubus-unreachable', { reason: messageOf(thrown) });
      return undefined;
    }
  }

  /** One connection from beginning to end; tells whether ubusd greeted us on it. */
  async #converse(connection: Connection): Promise<boolean> {
    const conversation = new Conversation(this.#runtime.clock, connection);
    this.#conversation = conversation;
    if (this.#stop.signal.aborted) conversation.hangUp();
    const { greeted, nonsense } = await conversation.run({
      greeted: () => {
        this.#runtime.log('info', 'ubus-up');
        for (const wish of this.#wishes) void this.#grant(wish, conversation);
      },
      invoked: (message) => void this.#serve(message, conversation),
      unsubscribed: (objectId) => this.#regrant(objectId, conversation),
    });
    this.#conversation = undefined;
    this.#ids.clear();
    for (const wish of this.#wishes) {
      wish.id = undefined;
      wish.granted = false;
    }
    this.#runtime.log(nonsense === undefined ? 'info' : 'warn', 'ubus-down', { reason: nonsense });
    return greeted;
  }

  async #grant(wish: Wish, conversation: Conversation): Promise<void> {
    const status = await this.#tryGrant(wish, conversation);
    if (status === undefined) {
      wish.granted = true;
    } else if (status !== 'connection-failed') {
      const path = wish.object?.path ?? wish.target;
      this.#runtime.log('debug', 'ubus-not-granted', { path, status });
      this.#grantLater(wish, conversation);
    }
  }

  #grantLater(wish: Wish, conversation: Conversation): void {
    this.#runtime.clock.after(WISH_RETRY_MS, () => {
      const isOpen = this.#wishes.has(wish) && !wish.granted;
      if (isOpen && conversation.isUp) void this.#grant(wish, conversation);
    });
  }

  #regrant(objectId: number, conversation: Conversation): void {
    for (const wish of this.#wishes) {
      if (wish.target === undefined || wish.id !== objectId) continue;
      wish.granted = false;
      this.#grantLater(wish, conversation);
    }
  }

  /** Undefined when the wish stands, else what is in its way. */
  async #tryGrant(wish: Wish, conversation: Conversation): Promise<UbusStatus | undefined> {
    if (wish.id === undefined) {
      const fields = wish.object === undefined ? {} : describe(wish.object);
      const { addObject } = UBUS_MESSAGE;
      const reply = await conversation.request(addObject, 0, fields, CALL_TIMEOUT_MS);
      if (!reply.ok) return reply.status;
      const objectId = reply.data[0]?.objectId;
      if (objectId === undefined || !conversation.isUp) return 'connection-failed';
      wish.id = objectId;
      if (!this.#wishes.has(wish)) {
        await this.forget(wish);
        return 'connection-failed';
      }
    }
    if (wish.target === undefined) return undefined;
    const target = await this.#lookUp(wish.target);
    if (typeof target === 'string') return target;
    const { subscribe } = UBUS_MESSAGE;
    const fields = { objectId: wish.id, target };
    const reply = await conversation.request(subscribe, 0, fields, CALL_TIMEOUT_MS);
    return reply.ok ? undefined : reply.status;
  }

  /** Answers a call: DATA when there is any, then STATUS, both with the caller's sequence and id. */
  async #serve(message: UbusMessage, conversation: Conversation): Promise<void> {
    const { sequence, peer, fields } = message;
    const objectId = fields.objectId ?? 0;
    const wish = [...this.#wishes].find((item) => item.id === objectId);
    const result = await this.#answer(wish, fields);
    if (fields.noReply === true || !conversation.isUp) return;
    let status: number = result.ok ? 0 : UBUS_STATUS[result.status];
    if (result.ok && wish?.object !== undefined) {
      const { data } = result;
      const isSent = conversation.send(UBUS_MESSAGE.data, sequence, peer, { objectId, data });
      if (!isSent) status = UBUS_STATUS['no-memory'];
    }
    conversation.send(UBUS_MESSAGE.status, sequence, peer, { status, objectId });
  }

  async #answer(wish: Wish | undefined, fields: UbusFields): Promise<MethodResult> {
    const name = fields.method ?? '';
    const data = fields.data ?? {};
    if (wish === undefined) return failed('not-found');
    if (this.#serving >= MAX_SERVING) return failed('no-memory');
    this.#serving += 1;
    try {
      if (wish.object === undefined) {
        wish.listen(name, data);
        return { ok: true, data: {} };
      }
      const { methods } = wish.object;
      const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
      if (method === undefined) return failed('method-not-found');
      return await method.call(data, { user: fields.user ?? '', group: fields.group ?? '' });
    } catch (thrown) {
      this.#runtime.log('error', 'ubus-method-failed', { method: name, reason: messageOf(thrown) });
      return failed('unknown-error');
    } finally {
      this.#serving -= 1;
    }
  }
}

/** The path, and each method's arguments with their blobmsg types. */
function describe(object: UbusObject): UbusFields {
  const signature = Object.fromEntries(
    Object.entries(object.methods).map(([name, { args }]) => [
      name,
      Object.fromEntries(Object.entries(args).map(([arg, type]) => [arg, BLOB_TYPE[type]])),
    ]),
  );
  return { path: object.path, signature };
}

async function pause(clock: Clock, milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(milliseconds, signal);
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
  }
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
