/** The verbs of backups, for the table of all verbs. */

import { DATA, type Flag, type Verb } from './verb.ts';

const CREDENTIALS: Flag = {
  flag: '--credentials',
  key: 'credentials',
  expects: 'a path',
  help: 'file with {"user": "…", "secret": "…"} for that place',
};

const PLACE = 'a directory, https://… (WebDAV) or s3+https://host/bucket/…';

const LINE_FILE: Flag = {
  flag: '--line-file',
  key: 'line-file',
  expects: 'a path',
  help: "file with a keeper's line (nymote-backup:…)",
};

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
    example: 'backup --to https://nas.lan/dav/nymote --credentials nas.json',
  },
  {
    name: 'backup list',
    operands: [],
    flags: TO,
    help: 'list what the newest backup holds',
    example: 'backup list --to /mnt/usb/nymote',
  },
  {
    name: 'backup drill',
    operands: [],
    flags: TO,
    help: 'read the newest backup back into memory and check all of it',
    example: 'backup drill --to /mnt/usb/nymote',
  },
  {
    name: 'backup schedule',
    operands: [],
    flags: [DATA],
    help: 'say when backups are made and tried, and how the last ones went',
  },
  {
    name: 'backup to',
    operands: [],
    flags: [
      DATA,
      { ...LINE_FILE, otherwise: 'asked for' },
      { flag: '--off', key: 'off', help: 'no more backups there' },
    ],
    help: 'put one every day where a friend keeps it, with the line that `backup keep` printed there',
    example: 'backup to --line-file line.txt',
  },
  {
    name: 'backup keep',
    operands: [{ name: 'name' }],
    flags: [
      DATA,
      {
        flag: '--quota',
        key: 'quota',
        expects: '500M, 1G, …',
        otherwise: '1G',
        help: 'how much is kept at most',
      },
      {
        flag: '--at',
        key: 'at',
        expects: 'name or address, perhaps with :port',
        otherwise: 'an address of this machine',
        help: 'how they reach this machine from where they are',
      },
      { flag: '--renew', key: 'renew', help: 'a new line; the old one is worthless then' },
    ],
    help: 'keep the backups of somebody else on this machine: prints a line for them, shown once',
    example: 'backup keep alice --quota 1G --at home.example.org',
  },
  {
    name: 'backup kept',
    operands: [],
    flags: [DATA],
    help: 'list whose backups are kept here, and how much of them',
  },
  {
    name: 'backup forget',
    operands: [{ name: 'name' }],
    flags: [DATA],
    help: 'keep nothing of theirs any more: deletes what is here',
    example: 'backup forget alice',
  },
  {
    name: 'restore',
    operands: [],
    flags: [
      { flag: '--from', key: 'target', expects: PLACE, help: 'where the backup is' },
      CREDENTIALS,
      { ...LINE_FILE, help: `instead of --from: ${LINE_FILE.help}` },
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
    example: 'restore --from /mnt/usb/nymote --data ./new',
  },
  {
    name: 'import',
    operands: [{ name: 'source' }],
    flags: [
      { ...DATA, help: 'whose store takes the history over' },
      { ...CREDENTIALS, help: 'file with {"user": "…", "secret": "…"} for that address' },
    ],
    help: 'take over a history from a git bundle, a clone, or the address of one',
    example: 'import all.bundle --data ./data',
  },
];
