/** The verbs of drafts, and `watch`, for the table of all verbs. */

import { DATA, type Flag, type Operand, type Verb } from './verb.ts';

const DRAFT: Operand = { name: 'draft' };
const PATH: Operand = { name: 'path' };
const MESSAGE: Flag = {
  flag: '--message',
  short: '-m',
  key: 'message',
  expects: 'words',
  help: 'why',
};

export const DRAFT_VERBS: readonly Verb[] = [
  {
    name: 'draft begin',
    operands: [DRAFT],
    flags: [DATA],
    help: 'begin to collect changes that are made as one',
    example: 'draft begin guests',
  },
  { name: 'draft list', operands: [], flags: [DATA], help: 'list the drafts of this device' },
  {
    name: 'draft show',
    operands: [DRAFT],
    flags: [DATA],
    help: 'what a draft would change now, and what stands against it',
    example: 'draft show guests',
  },
  {
    name: 'draft set',
    operands: [DRAFT, PATH, { name: 'json' }],
    flags: [DATA, MESSAGE],
    help: 'write a record or a field in a draft: draft set guests rules/printer/effect \'"allow"\'',
    example: 'draft set guests rules/printer/effect \'"allow"\'',
  },
  {
    name: 'draft unset',
    operands: [DRAFT, PATH],
    flags: [DATA, MESSAGE],
    help: 'remove a record or a field in a draft',
    example: 'draft unset guests rules/printer/note',
  },
  {
    name: 'draft apply',
    operands: [DRAFT],
    flags: [
      DATA,
      MESSAGE,
      { flag: '--force', key: 'force', help: 'also over what was changed elsewhere since' },
    ],
    help: 'make a draft one entry of the log',
    example: 'draft apply guests -m "visitors may print"',
  },
  {
    name: 'draft discard',
    operands: [DRAFT],
    flags: [DATA],
    help: 'throw a draft away',
    example: 'draft discard guests',
  },
  {
    name: 'watch',
    operands: [],
    flags: [DATA],
    help: 'print each change as it comes, until Ctrl-C',
  },
];
