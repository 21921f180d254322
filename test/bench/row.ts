/** One measured line: what, how much, and beside whom. */

export type Row = {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The peer measured in the same run, and ours divided by theirs. */
  readonly peer?: { readonly name: string; readonly value: number; readonly ratio: number };
  readonly note?: string;
};

/** A row with a peer; the ratio is ours by theirs. */
export function beside(
  name: string,
  value: number,
  unit: string,
  peer: { readonly name: string; readonly value: number },
): Row {
  return { name, value, unit, peer: { ...peer, ratio: value / peer.value } };
}

/** Rows as a table for people. */
export function printRows(title: string, rows: readonly Row[]): string {
  const lines = rows.map(({ name, value, unit, peer, note }) => {
    const against = peer
      ? `   ${peer.name} ${round(peer.value)} ${unit}, ratio ${peer.ratio.toFixed(2)}`
      : '';
    return `  ${name.padEnd(44)} ${round(value).padStart(10)} ${unit}${against}${note ? `   (${note})` : ''}`;
  });
  return [title, ...lines].join('\n');
}

/** Percentile of unsorted values, nearest rank. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** Three digits are all that a benchmark is worth. */
export const round = (value: number): string =>
  value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
