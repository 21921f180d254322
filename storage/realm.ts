/**
 * What a store is opened with, and how a realm begins.
 */

import type { Runtime } from '#runtime';
import type { Draft, Rules, Writer } from './changes/draft.ts';
import { encodeBase64 } from './format/bytes.ts';
import type { JsonObject } from './format/json.ts';
import type { Op } from './format/op.ts';

/** What the store needs of the machine. */
export type StoreRuntime = Pick<Runtime, 'files' | 'crypto' | 'clock' | 'log'>;

export type StoreOptions = Rules & {
  readonly directory: string;
  /** Absent: a replica that only takes commits over. */
  readonly writer?: Writer;
  /** While true the writer writes nothing: others may hold commits of it that are not here. */
  readonly isBehind?: () => boolean;
  /** The realm expected here: another one is refused, and none is begun. */
  readonly realm?: string;
  /** What the first commit of a new realm says besides who founded it. */
  readonly genesis?: {
    readonly settings?: JsonObject;
    /** More fields of the founder's `devices/<id>`. */
    readonly device?: JsonObject;
    readonly ops?: readonly Op[];
    /** The founder, when the writer is the recovery key, and what else is said of that key. */
    readonly founder?: Founder;
    readonly recovery?: JsonObject;
  };
};

/** The first device of a realm that a recovery key begins. */
export type Founder = {
  readonly deviceId: string;
  readonly name: string;
  readonly publicKey: Uint8Array;
};

/**
 * The first commit: it names the founder, and the key that it is signed with itself: the recovery
 * key, which is no device, or the founder's own.
 */
export function begin({ genesis }: StoreOptions, writer: Writer): Draft {
  const signingKey = encodeBase64(writer.signer.publicKey);
  const founder = genesis?.founder;
  const { deviceId, name } = founder ?? writer;
  const device = {
    name,
    ...genesis?.device,
    ...(founder === undefined
      ? { signingKey, writer: true }
      : { signingKey: encodeBase64(founder.publicKey), role: 'owner', rank: 1 }),
  };
  const recovery: Op = {
    op: 'set',
    path: 'realm/recovery',
    value: { ...genesis?.recovery, id: writer.deviceId, signingKey },
  };
  return {
    ops: [
      { op: 'set', path: 'realm/settings', value: genesis?.settings ?? {} },
      ...(founder === undefined ? [] : [recovery]),
      { op: 'set', path: `devices/${deviceId}`, value: device },
      ...(genesis?.ops ?? []),
    ],
    message: 'Begin the realm',
    via: 'genesis',
  };
}
