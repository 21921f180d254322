/**
 * `nymote`, the way in: lets Node keep what it compiled, then loads the program.
 *
 * Stripping types and compiling is half of a start. What is kept lies beside the installed modules,
 * writable for whoever installed us and nobody else; where it cannot be written, nothing is kept.
 *
 * @see https://nodejs.org/api/module.html#module-compile-cache
 */

import * as module from 'node:module';
import { join } from 'node:path';

// Bun has no such cache and its executables need none.
if (!('Bun' in globalThis)) {
  const kept = join(import.meta.dirname, '../node_modules/.cache/nymote/compiled');
  module.enableCompileCache(kept);
  // For our threads: without it each loads what strips types, 16 MB.
  process.env['NODE_COMPILE_CACHE'] ??= kept;
}
// What is imported statically would be compiled before the line above.
const { main } = await import('./program.ts');
process.exitCode = await main(process.argv.slice(2));
