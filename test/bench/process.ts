/** What a process and its children have used, from /proc: the machine's noise does not count. */

import { readdir, readFile } from 'node:fs/promises';

/** USER_HZ is 100 on every Linux that Node runs on (proc(5)). */
const TICKS_PER_SECOND = 100;

/** CPU seconds, user and system, of `pid` and everything below it, also of children that ended. */
export async function cpuSeconds(pid: number): Promise<number> {
  const tree = await descendants(pid);
  const ticks = await Promise.all(tree.map(ticksOf));
  return ticks.reduce((sum, each) => sum + each, 0) / TICKS_PER_SECOND;
}

/** Resident memory in MB of `pid` alone. */
export async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1_024;
}

async function descendants(pid: number): Promise<readonly number[]> {
  const parents = new Map<number, number>();
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const fields = await statFields(Number(entry));
    if (fields) parents.set(Number(entry), Number(fields[1]));
  }
  const found = [pid];
  for (let index = 0; index < found.length; index++) {
    for (const [child, parent] of parents) if (parent === found[index]) found.push(child);
  }
  return found;
}

async function ticksOf(pid: number): Promise<number> {
  const fields = await statFields(pid);
  // utime and stime, then the same of children that were waited for.
  return (fields ?? []).slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
}

/** The fields after the command, which may hold blanks and brackets; state is the first. */
async function statFields(pid: number): Promise<readonly string[] | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
}
