/** The words about new devices, for the vocabulary. */

import { DATA, type Flag, type Verb } from './verb.ts';

/** Both sides are told, or both compare. */
export const AUTO_CONFIRM: Flag = {
  flag: '--auto-confirm',
  key: 'autoConfirm',
  help: 'the code alone is enough, nothing is compared (for machines without a person; on both sides)',
};

export const ROLE: Flag = {
  flag: '--role',
  key: 'role',
  expects: 'owner, device or guest',
  otherwise: 'owner',
  help: 'what a machine that runs nymote may change: everything, or what concerns itself',
};

/** Confirming and rejecting. */
export const ENROL_VERBS: readonly Verb[] = [
  {
    name: 'device confirm',
    operands: [{ name: 'name' }],
    flags: [
      DATA,
      {
        flag: '--yes-i-see',
        key: 'yesISee',
        expects: 'the six digits',
        help: 'the new device shows this code',
      },
    ],
    help: 'let in a new machine that shows the same code as here',
    example: 'device confirm desktop --yes-i-see 123456',
  },
  {
    name: 'device reject',
    operands: [{ name: 'name' }],
    flags: [DATA],
    help: 'turn away a new machine that waits',
    example: 'device reject desktop',
  },
];
