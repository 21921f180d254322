/** The verbs about what several devices write, for the table of all verbs. */

import { DATA, type Verb } from './verb.ts';

export const TOGETHER_VERBS: readonly Verb[] = [
  {
    name: 'conflicts',
    operands: [],
    flags: [DATA],
    help: 'list what two devices changed differently at the same time',
  },
  {
    name: 'resolve',
    operands: [{ name: 'path' }],
    flags: [
      DATA,
      { flag: '--take', key: 'take', expects: 'a device or a commit', help: 'whose value it is' },
      { flag: '--value', key: 'value', expects: 'JSON', help: 'another value' },
    ],
    help: 'decide a conflict',
    example: 'resolve rules/printer/effect --take laptop',
  },
  {
    name: 'late',
    operands: [],
    flags: [DATA],
    help: 'list changes that do not count: of removed devices, and of one that exists twice',
  },
  {
    name: 'late adopt',
    operands: [{ name: 'device' }],
    flags: [DATA],
    help: 'take the late changes of a device over as your own',
    example: 'late adopt desktop',
  },
  {
    name: 'late dismiss',
    operands: [{ name: 'device' }],
    flags: [DATA],
    help: 'let the late changes of a device go',
    example: 'late dismiss desktop',
  },
  {
    name: 'proposals',
    operands: [],
    flags: [
      DATA,
      {
        flag: '--require',
        key: 'require',
        expects: 'beginnings of paths with commas, or none',
        help: 'say what no owner changes alone, e.g. rules,devices',
      },
    ],
    help: 'list changes that wait for a second owner',
    example: 'proposals --require rules,devices',
  },
  {
    name: 'approve',
    operands: [{ name: 'id' }],
    flags: [DATA, { flag: '--no', key: 'no', help: 'do not agree: take the proposal away' }],
    help: 'agree to what another owner proposed',
    example: 'approve ID',
  },
];
