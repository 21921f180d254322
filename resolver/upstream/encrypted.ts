/**
 * Asking resolvers under TLS: one kept connection for each, and never in the clear, whatever
 * happens (RFC 8310 §5: the strict profile).
 *
 * Who is there must be who was meant, by name or by key; otherwise nothing is asked, and the log
 * says why.
 */

import { type Endpoint, type Runtime, RuntimeError } from '#runtime';
import type { Event, Send } from '../recursion/frame.ts';
import type { RouteServer, Secured } from '../recursion/route.ts';
import { createKept, type Kept } from './kept.ts';
import { httpsLine, type Line, tlsLine } from './secure-line.ts';
import type { Upstream } from './upstream.ts';

/** Milliseconds to connect, with the handshake. */
const CONNECT_MILLISECONDS = 5_000;

/** Connections kept: more resolvers than anybody sets by hand. */
const MAX_LINES = 64;

type Seams = Pick<Runtime, 'clock' | 'random' | 'tls' | 'http' | 'log'>;

type SecureServer = Endpoint & { readonly secure: Secured };

/** `plain` asks what goes in the clear; what is set to be encrypted never does. */
export function withEncryption(
  runtime: Seams,
  plain: Upstream,
  { sources, udpSize }: { readonly sources: readonly string[]; readonly udpSize: number },
): Upstream {
  const lines = new Map<string, Kept<Line>>();
  let sends = 0;
  let isClosed = false;

  function lineTo(server: SecureServer): Kept<Line> {
    const key = JSON.stringify(server);
    const known = lines.get(key);
    if (known !== undefined) return known;
    const kept = createKept(runtime.clock, () => open(runtime, server, sources, udpSize));
    lines.set(key, kept);
    const [oldest] = lines.size > MAX_LINES ? lines : [];
    if (oldest !== undefined) {
      lines.delete(oldest[0]);
      void oldest[1][Symbol.asyncDispose]();
    }
    return kept;
  }

  return {
    async ask(send) {
      if (!isSecure(send.server)) return plain.ask(send);
      if (isClosed) return { kind: 'unreachable' };
      sends++;
      return askSecurely(runtime.clock, lineTo(send.server), send);
    },
    get sends() {
      return plain.sends + sends;
    },
    async [Symbol.asyncDispose]() {
      isClosed = true;
      await Promise.all([...lines.values()].map((line) => line[Symbol.asyncDispose]()));
      await plain[Symbol.asyncDispose]();
    },
  };
}

function isSecure(server: RouteServer): server is SecureServer {
  return server.secure !== undefined;
}

/** Connects; why that did not work is said once for each attempt, and those get fewer. */
async function open(
  { random, tls, http, log }: Seams,
  server: SecureServer,
  sources: readonly string[],
  udpSize: number,
): Promise<Line> {
  const { address, port, secure } = server;
  const { name, pins } = secure;
  const source = sources.find((each) => each.includes(':') === address.includes(':'));
  const options = {
    timeoutMs: CONNECT_MILLISECONDS,
    ...(name === undefined ? {} : { name }),
    ...(pins === undefined ? {} : { pins }),
    ...(source === undefined ? {} : { localAddress: source }),
  };
  try {
    if (secure.url !== undefined) {
      return httpsLine(await http.connect({ address, port }, options), secure.url, udpSize);
    }
    const connection = await tls.connect({ address, port }, { ...options, protocols: ['dot'] });
    return tlsLine(connection, random, udpSize);
  } catch (thrown) {
    const isUntrusted = thrown instanceof RuntimeError && thrown.code === 'untrusted';
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    if (isUntrusted) log('error', 'forwarder-untrusted', { address, port, reason });
    else log('warn', 'forwarder-unreachable', { address, port, reason });
    throw thrown;
  }
}

async function askSecurely(clock: Runtime['clock'], kept: Kept<Line>, send: Send): Promise<Event> {
  const began = clock.monotonic();
  const given = new AbortController();
  const timedOut = new Promise<Event>((resolve) => {
    const cancel = clock.after(send.timeout, () => resolve({ kind: 'timeout' }));
    given.signal.addEventListener('abort', cancel);
  });
  const event = await Promise.race([exchange(kept, send, given.signal), timedOut]);
  given.abort();
  return event.kind === 'reply' ? { ...event, milliseconds: clock.monotonic() - began } : event;
}

async function exchange(kept: Kept<Line>, send: Send, signal: AbortSignal): Promise<Event> {
  for (;;) {
    const wasKept = kept.isOpen;
    const line = await kept.get().catch((thrown: unknown) => reasonOf(thrown));
    if ('kind' in line) return line;
    if (signal.aborted) return { kind: 'timeout' };
    const { heard } = line;
    kept.touch();
    const event = await line.exchange(send, signal);
    // A line that is dead without having ended (a router that was restarted) is not waited for twice.
    const isSilent = event !== 'broken' && event.kind === 'timeout' && line.heard === heard;
    if (event === 'broken' || isSilent) kept.drop(line);
    if (event !== 'broken') return event;
    // It may have been closed just as we sent: once more on a new one (RFC 7766 §6.2.4).
    if (!wasKept) return { kind: 'unreachable' };
  }
}

function reasonOf(thrown: unknown): Event {
  const isUntrusted = thrown instanceof RuntimeError && thrown.code === 'untrusted';
  return { kind: 'unreachable', ...(isUntrusted ? { reason: 'forwarder-untrusted' } : {}) };
}
