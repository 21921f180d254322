/** The world that this process runs in: Node or Bun, chosen at run time so that neither loads the other's. */

import type { Log, LogLevel, Runtime } from '#runtime';

const LEVELS: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];

/** Opens the real runtime; what is below `level` is not logged, the rest to stderr unless told. */
export async function openRuntime(
  level: LogLevel,
  logTo: 'stdout' | 'stderr' = 'stderr',
): Promise<Runtime> {
  const runtime =
    'Bun' in globalThis
      ? (await import('#runtime/bun')).bunRuntime({ logTo })
      : (await import('#runtime/node')).nodeRuntime({ logTo });
  return { ...runtime, log: filtered(runtime.log, level) };
}

function filtered(log: Log, least: LogLevel): Log {
  const wanted = new Set(LEVELS.slice(0, LEVELS.indexOf(least) + 1));
  return (level, event, fields) => {
    if (wanted.has(level)) log(level, event, fields);
  };
}
