/** The verbs of backups, for the table of all verbs. */

import type { Flag, Verb } from './vocabulary.ts';

const DATA: Flag = {
  flag: '--data',
  key: 'data',
  expects: 'a path',
  otherwise: './data',
  help: 'data directory of the service',
};

const CREDENTIALS: Flag = {
  flag: '--credentials',
  key: 'credentials',
  expects: 'a path',
  help: 'file with {"user": "…", "secret": "…"} for that place',
};

const PLACE = 'a directory, https://… (WebDAV) or s3+https://host/bucket/…';

const TO: readonly Flag[] = [
  DATA,
  {
    flag: '--to',
    key: 'target',
    expects: PLACE,
    otherwise: 'the setting backup',
    help: 'where the backup is',
  },
  CREDENTIALS,
];

export const BACKUP_VERBS: readonly Verb[] = [
  {
    name: 'backup',
    operands: [],
    flags: [
      ...TO,
      {
        flag: '--recipient',
        key: 'recipients',
        expects: 'keys of age (age1…), several with commas',
        help: 'who can open it besides the recovery phrase and your devices',
      },
    ],
    help: 'put a sealed backup of everything somewhere else',
  },
  { name: 'backup list', operands: [], flags: TO, help: 'list what the newest backup holds' },
  {
    name: 'backup drill',
    operands: [],
    flags: TO,
    help: 'read the newest backup back into memory and check all of it',
  },
  {
    name: 'backup schedule',
    operands: [],
    flags: [DATA],
    help: 'say when backups are made and tried, and how the last ones went',
  },
  {
    name: 'restore',
    operands: [],
    flags: [
      { flag: '--from', key: 'target', expects: PLACE, help: 'where the backup is' },
      CREDENTIALS,
      {
        flag: '--phrase-file',
        key: 'phrase-file',
        expects: 'a path',
        otherwise: 'asked for',
        help: 'file with the recovery phrase',
      },
      {
        flag: '--identity-file',
        key: 'identity-file',
        expects: 'a path',
        help: "instead of the phrase: a file of age's with AGE-SECRET-KEY-1…",
      },
      { ...DATA, help: 'where the realm goes; no realm may be there' },
    ],
    help: 'bring a realm back onto a blank machine',
  },
  {
    name: 'import',
    operands: [{ name: 'source' }],
    flags: [
      { ...DATA, help: 'whose store takes the history over' },
      { ...CREDENTIALS, help: 'file with {"user": "…", "secret": "…"} for that address' },
    ],
    help: 'take over a history from a git bundle, a clone, or the address of one',
  },
];
