/**
 * A commit of the store, which is a git commit object in the SHA-256 format.
 *
 *     tree 3f1c…
 *     parent 77ab…                        none: the genesis of a realm
 *     author laptop <k7m2…> 1795000000 +0000
 *     committer laptop <k7m2…> 1795000000 +0000
 *     gpgsig-sha256 -----BEGIN SSH SIGNATURE-----
 *      …
 *      -----END SSH SIGNATURE-----
 *
 *     Let the printer resolve
 *
 *     Nymote-Seq: 12
 *     Nymote-Realm: 9be0…                 missing in the genesis, whose name it is
 *     Nymote-Via: web
 *
 * There is one spelling: what is read is written again and must be the same bytes. Dates are for
 * people; order comes from parents and sequence numbers. Ops travel beside the commit and are
 * bound to it through `.nymote/ops.json` in its tree.
 *
 * @see Documentation/gitformat-signature of Git: what of a commit is signed
 */

import type { Crypto, Signer } from '#runtime';
import { StorageError } from '../error.ts';
import { decodeText, encodeHex, encodeText } from './bytes.ts';
import { nameObject } from './object.ts';
import { type Op, parseOps } from './op.ts';
import { isKey } from './path.ts';
import { parseSignature, type SshSignature, signMessage, verifyMessage } from './sshsig.ts';

/** A commit's name: 64 hex digits. */
export type CommitId = string;

/** What a commit says, without its name, its signature and its ops. */
export type CommitFields = {
  readonly tree: string;
  readonly parents: readonly CommitId[];
  /** Who wrote it: the device's id, and its name for people. */
  readonly device: string;
  readonly name: string;
  /** Seconds since 1970 as the device believed; for display only. */
  readonly at: number;
  /** Position in the device's own chain, from 1. */
  readonly seq: number;
  /** The realm's id; undefined in its genesis. */
  readonly realm: string | undefined;
  readonly message: string;
  /** Through which door the wish came: "web", "luci", "cli", … */
  readonly via: string;
};

/** A commit as people see it. */
export type Commit = Omit<CommitFields, 'realm'> & {
  readonly id: CommitId;
  readonly realm: string;
  readonly ops: readonly Op[];
};

/** A commit's bytes and what they say. */
export type ParsedCommit = CommitFields & {
  readonly id: CommitId;
  readonly bytes: Uint8Array;
  readonly signature: SshSignature;
};

/** A commit's place in the order. */
export type Glimpse = Pick<CommitFields, 'parents' | 'device' | 'seq'> & {
  readonly id: CommitId;
  /** Device id, space, and the start of the base64 signature, up to the key in it. */
  readonly signer: string;
};

/** More heads than this cannot be joined by one commit. */
export const MAX_PARENTS = 64;
const MAX_MESSAGE = 8192;
const MAX_NAME = 100;
/** The last second of the year 9999, beyond which git's own date parser gives up. */
const MAX_DATE = 253_402_300_799;

const HEADER =
  /^tree ([0-9a-f]{64})\n((?:parent [0-9a-f]{64}\n)*)author ([^<>\n]+) <([^<>\n]+)> (\d{1,12}) \+0000\ncommitter [^\n]+\ngpgsig-sha256 (-----BEGIN[^\n]+\n(?: [^\n]+\n)+)\n/;
/** 88 digits of base64 are 66 bytes: everything before the key, and the key (see sshsig.ts). */
const GLIMPSE =
  /^tree [0-9a-f]{64}\n((?:parent [0-9a-f]{64}\n)*)author [^<>\n]+ <([^<>\n]+)> [^\n]+\ncommitter [^\n]+\ngpgsig-sha256 [^\n]+\n ([^\n]{70})\n ([^\n]{18})/;
const SEQ = '\nNymote-Seq: ';
const TRAILERS =
  /\n\nNymote-Seq: (\d{1,15})\n(?:Nymote-Realm: ([0-9a-f]{64})\n)?Nymote-Via: ([^\n]+)\n$/;

/** Signs a commit. Throws 'invalid' when a field cannot be written, 'too-large' for the message. */
export function signCommit(
  crypto: Pick<Crypto, 'hash'>,
  signer: Signer,
  fields: CommitFields,
): ParsedCommit {
  const armored = signMessage(crypto, signer, encodeText(print(fields)));
  return parseCommit(crypto, encodeText(print(fields, armored)));
}

/** Reads a commit object's body. Throws 'corrupt' for anything but the one spelling. */
export function parseCommit(crypto: Pick<Crypto, 'hash'>, bytes: Uint8Array): ParsedCommit {
  const text = decodeText(bytes);
  const header = text === undefined ? null : HEADER.exec(text);
  if (text === undefined || header === null) throw new StorageError('corrupt', 'not a commit');
  const [all, tree = '', parents = '', name = '', device = '', date = '', armor = ''] = header;
  // A message of its own paragraph follows, so the blank line belongs to the trailers' pattern.
  const body = text.slice(all.length);
  const trailers = TRAILERS.exec(body);
  if (trailers === null) throw new StorageError('corrupt', 'a commit without our trailers');
  const [, seq, realm, via = ''] = trailers;
  const armored = armor.trimEnd().replaceAll('\n ', '\n');
  const signature = parseSignature(armored);
  if (signature === undefined) throw new StorageError('bad-signature', 'not a signature of ours');
  const fields: CommitFields = {
    tree,
    parents: splitParents(parents),
    device,
    name,
    at: Number(date),
    seq: Number(seq),
    realm,
    message: body.slice(0, trailers.index),
    via,
  };
  checkFields(fields);
  if (print(fields, armored) !== text) {
    throw new StorageError('corrupt', 'a commit in another spelling');
  }
  const { id } = nameObject(crypto, { type: 'commit', body: bytes });
  return { ...fields, id, bytes, signature };
}

/**
 * Reads what the order of commits needs, and who signed, without looking at the rest.
 *
 * Enough for commits that were verified when they were stored and that a verified commit names
 * as its past; undefined for what is no commit.
 */
export function peekCommit(crypto: Pick<Crypto, 'hash'>, bytes: Uint8Array): Glimpse | undefined {
  const text = decodeText(bytes);
  const match = text === undefined ? null : GLIMPSE.exec(text);
  if (text === undefined || match === null) return undefined;
  const [, parents = '', device = '', start = '', rest = ''] = match;
  const seq = Number.parseInt(text.slice(text.lastIndexOf(SEQ) + SEQ.length), 10);
  if (!Number.isSafeInteger(seq)) return undefined;
  const { id } = nameObject(crypto, { type: 'commit', body: bytes });
  return { id, parents: splitParents(parents), device, seq, signer: `${device} ${start}${rest}` };
}

/** One name for all heads: a commit's own, or a hash of several; empty for none. */
export function nameHeads(crypto: Pick<Crypto, 'hash'>, heads: readonly CommitId[]): CommitId {
  if (heads.length < 2) return heads[0] ?? '';
  return encodeHex(crypto.hash('sha256', encodeText(heads.join(''))));
}

/** Tells whether the key named in the commit's signature signed it. Whose key it is, is not asked. */
export function hasValidSignature(
  crypto: Pick<Crypto, 'hash' | 'verify'>,
  commit: ParsedCommit,
): boolean {
  return verifyMessage(crypto, encodeText(print(commit)), commit.signature);
}

/** The commit as people see it, with its ops. */
export function showCommit(commit: ParsedCommit, ops: string | readonly Op[]): Commit {
  const { bytes: _bytes, signature: _signature, ...fields } = commit;
  return {
    ...fields,
    realm: commit.realm ?? commit.id,
    ops: typeof ops === 'string' ? parseOps(ops) : ops,
  };
}

/** What a commit can carry as its message: trimmed, one kind of newline, no control characters. */
export function cleanMessage(text: string): string {
  const message = text.replaceAll('\r\n', '\n').trim();
  return message === '' ? 'Change' : message;
}

/** A name that git and people can read: no brackets or control characters, never empty. */
export function cleanName(text: string, otherwise: string): string {
  const name = replaceControls(text.toWellFormed(), ' ')
    .replaceAll(/[<>\s]+/g, ' ')
    .slice(0, MAX_NAME)
    .toWellFormed()
    .replaceAll(/^[\s.,:;"'\\]+|[\s.,:;"'\\]+$/g, '');
  return name === '' ? otherwise : name;
}

/** A date as commits carry it. A clock before 1970 or after 9999 is no clock. */
export function cleanDate(seconds: number): number {
  return seconds >= 0 && seconds <= MAX_DATE ? Math.floor(seconds) : 0;
}

function splitParents(lines: string): string[] {
  return lines === ''
    ? []
    : lines
        .trimEnd()
        .split('\n')
        .map((line) => line.slice('parent '.length));
}

function checkFields(fields: CommitFields): void {
  const { message, parents, via } = fields;
  if (message.length > MAX_MESSAGE) throw new StorageError('too-large', 'message too long');
  const isClean =
    message !== '' &&
    message === cleanMessage(message) &&
    message.isWellFormed() &&
    !hasControls(message.replaceAll('\n', ''));
  if (!isClean) throw new StorageError('invalid', 'the message has control characters');
  if (via.length > MAX_NAME || via.trim() !== via || via === '' || hasControls(via)) {
    throw new StorageError('invalid', 'via is one short line');
  }
  if (!isKey(fields.device)) throw new StorageError('invalid', 'the device id is no key');
  if (cleanName(fields.name, '') !== fields.name) {
    throw new StorageError('invalid', 'the name is not one git keeps');
  }
  if (fields.at > MAX_DATE || !Number.isSafeInteger(fields.seq) || fields.seq < 1) {
    throw new StorageError('invalid', 'date or sequence number out of range');
  }
  if (parents.length > MAX_PARENTS || new Set(parents).size !== parents.length) {
    throw new StorageError('invalid', 'too many parents, or one twice');
  }
}

function print(fields: CommitFields, armored?: string): string {
  checkFields(fields);
  const who = `${fields.name} <${fields.device}> ${fields.at} +0000`;
  const signature =
    armored === undefined ? '' : `gpgsig-sha256 ${armored.replaceAll('\n', '\n ')}\n`;
  const parents = fields.parents.map((parent) => `parent ${parent}\n`).join('');
  const realm = fields.realm === undefined ? '' : `Nymote-Realm: ${fields.realm}\n`;
  return (
    `tree ${fields.tree}\n${parents}author ${who}\ncommitter ${who}\n${signature}\n` +
    `${fields.message}\n\nNymote-Seq: ${fields.seq}\n${realm}Nymote-Via: ${fields.via}\n`
  );
}

function hasControls(text: string): boolean {
  return replaceControls(text, '') !== text;
}

/** C0, DEL and C1: a name or a message may end up in a terminal. */
function replaceControls(text: string, by: string): string {
  return text.replaceAll(/\p{Cc}/gu, by);
}
