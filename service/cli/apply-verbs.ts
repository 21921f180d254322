/** The verbs about a router's own configuration, for the table of all verbs. */

import { DATA, type Flag, type Operand, type Verb } from './verb.ts';

const OPTION: Operand = { name: 'option' };
const ON_DEVICE: Flag = {
  flag: '--device',
  key: 'device',
  expects: 'a device',
  otherwise: 'this one',
  help: 'of which router',
};

export const APPLY_VERBS: readonly Verb[] = [
  {
    name: 'option set',
    operands: [OPTION, { name: 'value' }],
    flags: [
      DATA,
      ON_DEVICE,
      { flag: '--list', key: 'list', help: 'the value is a list, with commas' },
      {
        flag: '--first-on',
        key: 'firstOn',
        expects: 'a device',
        help: 'wait until that one has confirmed its own options',
      },
      { flag: '--note', key: 'note', expects: 'words', help: 'why' },
    ],
    help: 'set an option of a router (UCI), applied under its guard',
    example: 'option set network.lan.ipaddr 192.168.7.1 --note "the modem has 192.168.1.1"',
  },
  {
    name: 'option unset',
    operands: [OPTION],
    flags: [DATA, ON_DEVICE],
    help: 'let go of an option: it becomes what it was before',
    example: 'option unset network.lan.ipaddr',
  },
  { name: 'option list', operands: [], flags: [DATA], help: 'list the options' },
  {
    name: 'apply status',
    operands: [],
    flags: [DATA],
    help: 'say what is applied, what is pending, and how it went elsewhere',
  },
  {
    name: 'apply retry',
    operands: [],
    flags: [DATA],
    help: 'try a change again that was taken back',
  },
  {
    name: 'apply extend',
    operands: [{ name: 'seconds' }],
    flags: [DATA],
    help: 'give the pending change of this device so much time from now',
    example: 'apply extend 300',
  },
  {
    name: 'confirm',
    operands: [{ name: 'id', optional: true }],
    flags: [DATA],
    help: 'say that a pending change is good, on any of your devices',
    example: 'confirm',
  },
  {
    name: 'rollback',
    operands: [],
    flags: [DATA],
    help: 'take the pending change of this device back at once',
  },
  {
    name: 'drift',
    operands: [],
    flags: [
      DATA,
      { flag: '--heal', key: 'heal', help: 'put back what the head says' },
      { flag: '--adopt', key: 'adopt', help: 'make the head say what is there' },
    ],
    help: 'say how this device differs from the head',
    example: 'drift --heal',
  },
];
