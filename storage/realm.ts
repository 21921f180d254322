/**
 * What a store is opened with, and how a realm begins.
 */

import type { Runtime } from '#runtime';
import { encodeBase64 } from './bytes.ts';
import type { Draft, Rules, Writer } from './draft.ts';
import type { JsonObject } from './json.ts';
import type { Op } from './op.ts';

/** What the store needs of the machine. */
export type StoreRuntime = Pick<Runtime, 'files' | 'crypto' | 'clock' | 'log'>;

export type StoreOptions = Rules & {
  readonly directory: string;
  /** Absent: a replica that only takes commits over. */
  readonly writer?: Writer;
  /** The realm expected here: another one is refused, and none is begun. */
  readonly realm?: string;
  /** What the first commit of a new realm says besides who founded it. */
  readonly genesis?: {
    readonly settings?: JsonObject;
    /** More fields of the founder's `devices/<id>`. */
    readonly device?: JsonObject;
    readonly ops?: readonly Op[];
  };
};

/** The first commit: it names the founder and the key that every later signature is held against. */
export function begin({ genesis }: StoreOptions, { deviceId, name, signer }: Writer): Draft {
  const device = {
    name,
    ...genesis?.device,
    signingKey: encodeBase64(signer.publicKey),
    writer: true,
  };
  return {
    ops: [
      { op: 'set', path: 'realm/settings', value: genesis?.settings ?? {} },
      { op: 'set', path: `devices/${deviceId}`, value: device },
      ...(genesis?.ops ?? []),
    ],
    message: 'Begin the realm',
    via: 'genesis',
  };
}
