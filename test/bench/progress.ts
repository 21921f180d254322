/** Words about what is going on, where they disturb no result. */

/** Says one line on standard error. */
export function progress(line: string): void {
  process.stderr.write(`bench: ${line}\n`);
}
