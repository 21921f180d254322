/** Bodies from the network, with an end to their size and to our patience. */

import type { Clock } from '#runtime';

/** Who feeds a body slowly holds one of few connections. */
const BODY_MS = 20_000;

/** A body of at most `limit` bytes; undefined when it is larger, breaks off or takes `patienceMs`. */
export async function readLimited(
  { body }: Pick<Request, 'body'>,
  clock: Pick<Clock, 'after'>,
  limit: number,
  patienceMs = BODY_MS,
): Promise<Uint8Array | undefined> {
  const reader = body?.getReader();
  const give = (): void => void reader?.cancel().catch(() => undefined);
  let isLate = false;
  const cancel = clock.after(patienceMs, () => {
    isLate = true;
    give();
  });
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for (let step = await reader?.read(); step?.done === false; step = await reader?.read()) {
      size += step.value.length;
      if (size > limit) {
        give();
        return undefined;
      }
      chunks.push(step.value);
    }
  } catch {
    // Whoever sent it is gone.
    return undefined;
  } finally {
    cancel();
  }
  return isLate ? undefined : joined(chunks, size);
}

/** One after the other, in one piece. */
export function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
