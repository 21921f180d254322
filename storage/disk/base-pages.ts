/**
 * A base on its way: as frames of its own commit that say a part of it where the ops would be.
 *
 *     base <part> of <parts>\n<text>
 *
 * So it travels wherever commits do, sealed like them, and nobody takes it for one: ops begin with
 * a bracket.
 */

import { concat, decodeText, encodeText } from '../format/bytes.ts';
import { decodeFrame, encodeFrame, measureFrame } from '../format/frame.ts';
import type { Base } from './base.ts';

/** As much as leaves room for the commit in a frame. */
const PART = 192 * 1024;
/** All parts have to fit into one page of an exchange. */
export const MAX_BASE_PAGE = 960 * 1024;

const PREFIX = 'base ';
const HEADER = /^base (\d{1,3}) of (\d{1,3})\n/;

/** The frames of a base. */
export function printBaseFrames({ bytes, proof }: Pick<Base, 'bytes' | 'proof'>): Uint8Array {
  const span = measureFrame(proof.commit, 0);
  const own = span && decodeFrame(proof.commit, span);
  if (own === undefined) throw new Error('unreachable: a base without its commit');
  const parts: string[] = [];
  for (let start = 0; start < bytes.length; ) {
    let end = Math.min(start + PART, bytes.length);
    // Not in the middle of a character.
    while (end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
    parts.push(decodeText(bytes.subarray(start, end)) ?? '');
    start = end;
  }
  return concat(
    parts.flatMap((text, index) => {
      const ops = `${PREFIX}${index + 1} of ${parts.length}\n${text}`;
      return encodeFrame({ commit: own.commit, ops }) ?? [];
    }),
  );
}

/** A page without the parts of a base, and the base if all of it is there. */
export function splitBase(page: Uint8Array): {
  readonly rest: Uint8Array;
  readonly base: Uint8Array | undefined;
} {
  const rest: Uint8Array[] = [];
  const parts: string[] = [];
  let wanted = 0;
  let offset = 0;
  for (let span = measureFrame(page, 0); span !== undefined; span = measureFrame(page, offset)) {
    const frame = decodeFrame(page, span);
    const [header = '', part, of] = HEADER.exec(frame?.ops ?? '') ?? [];
    if (frame === undefined || part === undefined) rest.push(page.subarray(span.offset, span.end));
    else {
      wanted = Number(of);
      parts[Number(part) - 1] = frame.ops.slice(header.length);
    }
    offset = span.end;
  }
  if (parts.length === 0) return { rest: page, base: undefined };
  const isWhole = parts.length === wanted && !parts.includes(undefined as never);
  return {
    rest: concat([...rest, page.subarray(offset)]),
    base: isWhole ? encodeText(parts.join('')) : undefined,
  };
}
