/** What a person may set about backups; `config.ts` takes it into its table. */

import { readPort } from '../endpoint-text.ts';

export type BackupSettings = {
  /** Where to; empty: nothing is done by itself. */
  readonly backup: string;
  /** Path of a file with user and secret. */
  readonly backupCredentials: string;
  /** Who can open backups besides the owner's devices: age1… */
  readonly backupRecipients: readonly string[];
  /** TCP, for the backups of others, once somebody's are kept. */
  readonly keepPort: number;
};

/** The settings without a word about them. */
export const BACKUP_DEFAULTS: BackupSettings = {
  backup: '',
  backupCredentials: '',
  backupRecipients: [],
  keepPort: 51_822,
};

const MAX_RECIPIENTS = 16;

/** Reads recipients with commas between them; age itself looks at each more closely. */
export function readRecipients(text: string): readonly string[] | undefined {
  const items = text.split(',').map((item) => item.trim());
  const recipients = items.filter((item) => item !== '');
  const areGood = recipients.every((item) => /^age1[0-9a-z]{1,3000}$/.test(item));
  return areGood && recipients.length <= MAX_RECIPIENTS ? recipients : undefined;
}

/** How each is read, what it takes, and what it is for. */
export const BACKUP_SETTINGS = {
  backup: {
    read: (text: string) => text,
    expects: 'a directory, https://… (WebDAV) or s3+https://host/bucket/…',
    help: 'where to put a sealed backup every day',
  },
  backupCredentials: {
    read: (text: string) => text,
    expects: 'a path',
    help: 'file with {"user": "…", "secret": "…"} for that place; make it 0600',
  },
  backupRecipients: {
    read: readRecipients,
    expects: 'keys of age (age1…), several with commas',
    help: 'who can open backups besides the recovery phrase and your devices',
  },
  keepPort: {
    read: readPort,
    expects: 'a port',
    help: 'TCP port for the backups of others that are kept here (`backup keep`)',
  },
} as const;
