/**
 * One connection to ubusd, from its greeting to its end: sends requests and matches the answers.
 *
 * An answer is any number of DATA and one STATUS with the request's sequence number and peer; calls
 * interleave freely. When the connection ends, everything that still waits fails with
 * 'connection-failed'. What is said, and what happens after the end, is up to `ubus.ts`.
 */

import type { Clock, Connection } from '#runtime';
import { failureOf, UBUS_STATUS, type UbusStatus } from './status.ts';
import {
  createUbusReader,
  encodeUbusMessage,
  UBUS_MESSAGE,
  type UbusFields,
  type UbusMessage,
} from './ubus-message.ts';

/** The fields of every DATA before the STATUS, or why there are none. */
export type Reply =
  | { readonly ok: true; readonly data: readonly UbusFields[] }
  | { readonly ok: false; readonly status: UbusStatus };

/** What ubusd says without being asked. */
export type Listener = {
  greeted(): void;
  /** Somebody calls one of our objects, or notifies one. */
  invoked(message: UbusMessage): void;
  /** The target of a subscription is gone. */
  unsubscribed(objectId: number): void;
};

const GREETING_TIMEOUT_MS = 5_000;

/** More requests than this under way at once are a fault somewhere. */
const MAX_REQUESTS = 256;
/** DATA messages of one answer that are kept; listing a whole bus stays far below. */
const MAX_DATA = 4_096;
/** A bus that does not read gets no more than this from us before we hang up. */
const MAX_UNSENT = 4 * 1_048_576;

type Wait = {
  readonly peer: number;
  readonly data: UbusFields[];
  readonly settle: (reply: Reply) => void;
};

export class Conversation {
  readonly #clock: Clock;
  readonly #connection: Connection;
  readonly #waits = new Map<number, Wait>();
  #isUp = false;
  #sequence = 0;
  #unsent = 0;

  constructor(clock: Clock, connection: Connection) {
    this.#clock = clock;
    this.#connection = connection;
  }

  /** True from ubusd's greeting to the end. */
  get isUp(): boolean {
    return this.#isUp;
  }

  hangUp(): void {
    this.#connection.abort();
  }

  /** Listens until the connection ends; the reason is given when the other side speaks no ubus. */
  async run(
    listener: Listener,
  ): Promise<{ readonly greeted: boolean; readonly nonsense?: string }> {
    const cancel = this.#clock.after(GREETING_TIMEOUT_MS, () => {
      if (!this.#isUp) this.hangUp();
    });
    const nonsense = await this.#read(listener);
    cancel();
    this.hangUp();
    const greeted = this.#isUp;
    this.#isUp = false;
    for (const wait of this.#waits.values()) wait.settle(failed('connection-failed'));
    return { greeted, ...(nonsense === undefined ? {} : { nonsense }) };
  }

  request(type: number, peer: number, fields: UbusFields, timeoutMs: number): Promise<Reply> {
    if (!this.#isUp) return Promise.resolve(failed('connection-failed'));
    if (this.#waits.size >= MAX_REQUESTS) return Promise.resolve(failed('no-memory'));
    const sequence = this.#nextSequence();
    return new Promise((resolve) => {
      const cancel = this.#clock.after(timeoutMs, () => settle(failed('timeout')));
      const settle = (reply: Reply) => {
        cancel();
        this.#waits.delete(sequence);
        resolve(reply);
      };
      this.#waits.set(sequence, { peer, data: [], settle });
      if (!this.send(type, sequence, peer, fields)) settle(failed('no-memory'));
    });
  }

  /** Sends a notification to whoever subscribed to our object; nobody answers. */
  notify(objectId: number, fields: UbusFields): void {
    const all = { ...fields, objectId, noReply: true };
    this.send(UBUS_MESSAGE.notify, this.#nextSequence(), objectId, all);
  }

  /** Sends one message; false when it is too long for the bus. */
  send(type: number, sequence: number, peer: number, fields: UbusFields): boolean {
    const bytes = encodeUbusMessage({ type, sequence, peer, fields });
    if (bytes === undefined) return false;
    this.#unsent += bytes.length;
    if (this.#unsent > MAX_UNSENT) this.hangUp();
    this.#connection.write(bytes).then(
      () => {
        this.#unsent -= bytes.length;
      },
      // The reader sees the end of the same connection.
      () => undefined,
    );
    return true;
  }

  async #read(listener: Listener): Promise<string | undefined> {
    const read = createUbusReader();
    for await (const chunk of this.#connection.received()) {
      const result = read(chunk);
      if (!result.ok) return result.reason;
      for (const message of result.messages) this.#take(message, listener);
    }
    return undefined;
  }

  #take(message: UbusMessage, listener: Listener): void {
    switch (message.type) {
      case UBUS_MESSAGE.hello:
        this.#isUp = true;
        listener.greeted();
        return;
      case UBUS_MESSAGE.data:
        this.#takeData(message);
        return;
      case UBUS_MESSAGE.status:
        this.#takeStatus(message);
        return;
      case UBUS_MESSAGE.invoke:
        listener.invoked(message);
        return;
      case UBUS_MESSAGE.unsubscribe:
        listener.unsubscribed(message.fields.objectId ?? 0);
        return;
      default:
        // NOTIFY tells an object whether anyone listens; we send either way.
        return;
    }
  }

  #takeData({ sequence, peer, fields }: UbusMessage): void {
    const wait = this.#waits.get(sequence);
    if (wait === undefined || wait.peer !== peer) return;
    if (wait.data.length >= MAX_DATA) wait.settle(failed('no-memory'));
    else wait.data.push(fields);
  }

  #takeStatus({ sequence, peer, fields }: UbusMessage): void {
    const wait = this.#waits.get(sequence);
    if (wait === undefined || wait.peer !== peer) return;
    const status = failureOf(fields.status ?? UBUS_STATUS['unknown-error']);
    wait.settle(status === undefined ? { ok: true, data: wait.data } : failed(status));
  }

  #nextSequence(): number {
    this.#sequence = sequenceAfter(this.#sequence, this.#waits);
    return this.#sequence;
  }
}

/**
 * The sequence number that follows `last`: 16 bits, never 0, none that still waits for its answer.
 *
 * Far fewer wait than there are numbers, so one is always found.
 */
export function sequenceAfter(last: number, waiting: ReadonlyMap<number, unknown>): number {
  let next = last;
  do next = (next + 1) & 0xffff;
  while (next === 0 || waiting.has(next));
  return next;
}

/** A failure as a value. */
export function failed(status: UbusStatus): { readonly ok: false; readonly status: UbusStatus } {
  return { ok: false, status };
}
