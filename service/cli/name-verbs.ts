/** The verbs about records of one's own, for the table of all verbs. */

import { DATA, type Operand, type Verb } from './verb.ts';

const OWNER: Operand = { name: 'owner' };

export const NAME_VERBS: readonly Verb[] = [
  {
    name: 'name set',
    operands: [OWNER, { name: 'type' }, { name: 'value' }],
    flags: [
      DATA,
      { flag: '--ttl', key: 'ttl', expects: 'seconds', otherwise: '3600', help: 'kept so long' },
      { flag: '--add', key: 'add', help: 'beside the records of this type, not in their place' },
    ],
    help: 'write a record of your zone: name set www AAAA fd00::7, name set @ MX "10 mail"',
    example: 'name set www AAAA fd00::7',
  },
  {
    name: 'name remove',
    operands: [OWNER, { name: 'type', optional: true }],
    flags: [
      DATA,
      { flag: '--value', key: 'value', expects: 'its data', help: 'only the record that says so' },
    ],
    help: 'remove the records of a name, all or those of a type',
    example: 'name remove www AAAA --value fd00::7',
  },
  { name: 'name list', operands: [], flags: [DATA], help: 'list the records that you wrote' },
];
