/** The verbs about the history, for the table of all verbs. */

import { DATA, type Verb } from './verb.ts';

export const HISTORY_VERBS: readonly Verb[] = [
  {
    name: 'revert',
    operands: [{ name: 'commit' }],
    flags: [
      DATA,
      { flag: '--path', key: 'path', expects: 'a path', help: 'only there, e.g. rules' },
    ],
    help: 'undo one entry of the log, or all that came after one up to another (A..B), with a new one',
    example: 'revert 3f2a91..9c01d4 --path rules',
  },
  {
    name: 'history restore',
    operands: [{ name: 'commit' }, { name: 'path', optional: true }],
    flags: [DATA],
    help: 'make things, or one of them, as they were then, with a new entry; devices stay',
    example: 'history restore 3f2a91 rules/printer',
  },
  {
    name: 'history keep',
    operands: [{ name: 'days' }],
    flags: [
      DATA,
      {
        flag: '--commits',
        key: 'commits',
        expects: 'a number',
        otherwise: '400',
        help: 'so many changes always stay, however old',
      },
      {
        flag: '--above',
        key: 'above',
        expects: 'megabytes',
        otherwise: '8',
        help: 'drop older ones once the history takes so much on the disk',
      },
    ],
    help: 'say how many days of history stay (180 unless you say so), or `all`: nothing is dropped by itself',
    example: 'history keep 365 --above 16',
  },
  {
    name: 'history prune',
    operands: [],
    flags: [DATA],
    help: 'drop what is older than is kept, as soon as all your devices know of it, however small the history is; a big one is pruned by itself, see `history keep`',
  },
  {
    name: 'history forget',
    operands: [],
    flags: [DATA, { flag: '--yes', key: 'yes', help: 'there is no way back' }],
    help: 'drop all history that can be dropped, with everything that was deleted',
    example: 'history forget --yes',
  },
  { name: 'history', operands: [], flags: [DATA], help: 'say what is kept, and until when' },
];
