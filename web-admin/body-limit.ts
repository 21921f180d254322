/**
 * Bodies are read here, once, and never further than the limit, whatever length they claim.
 *
 * hono's own middleware hands a new Request on, which a server with its own Request class refuses.
 */

import type { MiddlewareHandler } from 'hono';
import type { Environment } from './guard.ts';
import { problem } from './problem.ts';

/** The largest body any route takes is a few hundred bytes. */
const MAX_BODY_BYTES = 16 * 1024;

/** Refuses what is larger, before anybody parses it. */
export function limitBody(): MiddlewareHandler<Environment> {
  return async (c, next) => {
    const { body } = c.req.raw;
    if (c.req.method === 'GET' || c.req.method === 'HEAD' || body === null) return next();
    if (Number(c.req.header('content-length') ?? 0) > MAX_BODY_BYTES) return problem('too-large');
    const text = await readText(body);
    if (text === undefined) return problem('too-large');
    // Declared as what the promise holds, used as the promise.
    c.req.bodyCache.text = Promise.resolve(text) as never;
    return next();
  };
}

async function readText(body: ReadableStream<Uint8Array>): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    // Leaving the loop cancels the stream.
    if (size > MAX_BODY_BYTES) return undefined;
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
