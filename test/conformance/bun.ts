/** The Bun that the executables for routers are made with. */

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const PROJECT = join(import.meta.dirname, '../..');

/** Its path; fetched once, 50 MB, into `node_modules/.cache`, as for an executable. */
export function fetchBun(): string {
  const script = 'openwrt/package/executable.ts';
  return execFileSync(process.execPath, [script], { cwd: PROJECT, encoding: 'utf8' }).trim();
}
