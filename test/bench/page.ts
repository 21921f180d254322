/** The results as docs/benchmarks.md, which README links to. */

import { type Row, round } from './row.ts';

export type Table = { readonly title: string; readonly rows: readonly Row[] };

const HOW = `Made by \`npm run bench\`; \`npm run bench -- --help\` lists the topics. Where there is a peer, it was
measured in the same run, on the same core, beside ours; a ratio is ours by theirs. CPU is user and
system time of the process and its children, from \`/proc\`; for a comparison it counts more than time
by the clock, which suffers from whatever else the machine does.

Not measured: real networks and ARM routers. Tunnels are by the
WireGuard that their line names.`;

/** The page: how it was measured, then a table for each topic. */
export function printPage(machine: string, date: string, tables: readonly Table[]): string {
  const parts = tables.map(({ title, rows }) => `## ${capitalised(title)}\n\n${printTable(rows)}`);
  return `${['# Benchmarks', `${machine}; ${date}.`, HOW, ...parts].join('\n\n')}\n`;
}

function printTable(rows: readonly Row[]): string {
  const hasPeers = rows.some(({ peer }) => peer !== undefined);
  const head = hasPeers ? ['', 'nymote', 'peer', 'ratio'] : ['', 'nymote'];
  const lines = rows.map(({ name, value, unit, peer, note }) => {
    const label = note === undefined ? name : `${name} (${note})`;
    const own = [label, `${round(value)} ${unit}`];
    if (!hasPeers) return own;
    if (peer === undefined) return [...own, '', ''];
    return [...own, `${peer.name} ${round(peer.value)} ${unit}`, peer.ratio.toFixed(2)];
  });
  const rule = head.map((_, index) => (index === 0 ? '---' : '---:'));
  return [head, rule, ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
