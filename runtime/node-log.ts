/**
 * Log lines on standard error or output, for journald and logread: `warn event key=value`.
 */

import type { Log } from './index.ts';

/** Prints everything; the reader adds the time. */
export function lineLog(stream: 'stdout' | 'stderr'): Log {
  return (level, event, fields = {}) => {
    const words = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => ` ${key}=${print(value)}`);
    process[stream].write(`${level} ${event}${words.join('')}\n`);
  };
}

/** Quotes what has spaces or control characters, so that one event stays one line. */
function print(value: string | number | boolean | undefined): string {
  const text = String(value);
  return /^[\w.:/@+-]+$/.test(text) ? text : JSON.stringify(text);
}
