/** The verbs about what several devices write, and about names, for the table of all verbs. */

import type { Flag, Operand, Verb } from './vocabulary.ts';

const DATA: Flag = {
  flag: '--data',
  key: 'data',
  expects: 'a path',
  otherwise: './data',
  help: 'data directory of the service',
};
const OWNER: Operand = { name: 'owner' };

export const TOGETHER_VERBS: readonly Verb[] = [
  {
    name: 'name set',
    operands: [OWNER, { name: 'type' }, { name: 'value' }],
    flags: [
      DATA,
      { flag: '--ttl', key: 'ttl', expects: 'seconds', otherwise: '3600', help: 'kept so long' },
      { flag: '--add', key: 'add', help: 'beside the records of this type, not in their place' },
    ],
    help: 'write a record of your zone: name set www AAAA fd00::7, name set @ MX "10 mail"',
  },
  {
    name: 'name remove',
    operands: [OWNER, { name: 'type', optional: true }],
    flags: [
      DATA,
      { flag: '--value', key: 'value', expects: 'its data', help: 'only the record that says so' },
    ],
    help: 'remove the records of a name, all or those of a type',
  },
  { name: 'name list', operands: [], flags: [DATA], help: 'list the records that you wrote' },
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
  },
  {
    name: 'late dismiss',
    operands: [{ name: 'device' }],
    flags: [DATA],
    help: 'let the late changes of a device go',
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
  },
  {
    name: 'approve',
    operands: [{ name: 'id' }],
    flags: [DATA, { flag: '--no', key: 'no', help: 'do not agree: take the proposal away' }],
    help: 'agree to what another owner proposed',
  },
];
