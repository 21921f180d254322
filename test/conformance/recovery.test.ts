/**
 * Backups for a recovery phrase, opened by stock age with nothing but the phrase's identity.
 */

import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Decrypter, Encrypter } from 'age-encryption';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { generateRecoveryPhrase, openRecoveryPhrase, type RecoveryKeys } from '#identity';
import { nodeRuntime } from '#runtime/node';

const { crypto, random } = nodeRuntime({ log: () => undefined });
const PLAIN = Buffer.from('the household\n'.repeat(1000));

let directory = '';
let keyFile = '';
let keys: RecoveryKeys;

/** Runs a program of Debian's; a missing one is a failure that says what to install. */
function tool(file: string, args: readonly string[], input?: Uint8Array): Buffer {
  const { error, status, stdout, stderr } = spawnSync(file, args, { input });
  if (error !== undefined) throw new Error(`${file} is missing: apt install age`);
  if (status !== 0) throw new Error(`${file}: ${stderr.toString()}`);
  return stdout;
}

async function freshKeys(): Promise<RecoveryKeys> {
  const opened = await openRecoveryPhrase(crypto, await generateRecoveryPhrase(crypto, random));
  if (!opened.ok) throw new Error(opened.problem.reason);
  return opened.keys;
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'recovery-'));
  keyFile = join(directory, 'identity');
  keys = await freshKeys();
  await writeFile(keyFile, `${keys.identity}\n`, { mode: 0o600 });
});

afterAll(() => rm(directory, { recursive: true, force: true }));

test('age-keygen finds the same recipient in the identity', async () => {
  for (let i = 0; i < 10; i++) {
    const { identity, recipient } = await freshKeys();
    const found = tool('age-keygen', ['-y'], Buffer.from(`${identity}\n`));
    expect(found.toString().trim()).toBe(recipient);
  }
});

test('age opens what age sealed for the recipient', () => {
  const sealed = tool('age', ['-r', keys.recipient], PLAIN);
  expect(tool('age', ['-d', '-i', keyFile], sealed)).toEqual(PLAIN);
});

test('age opens what our library sealed', async () => {
  const encrypter = new Encrypter();
  encrypter.addRecipient(keys.recipient);
  const sealed = await encrypter.encrypt(PLAIN);
  expect(tool('age', ['-d', '-i', keyFile], sealed)).toEqual(PLAIN);
});

test('our library opens what age sealed', async () => {
  const decrypter = new Decrypter();
  decrypter.addIdentity(keys.identity);
  const sealed = tool('age', ['-r', keys.recipient], PLAIN);
  expect(Buffer.from(await decrypter.decrypt(sealed))).toEqual(PLAIN);
});

test('another phrase opens nothing', async () => {
  const other = await freshKeys();
  const sealed = tool('age', ['-r', other.recipient], PLAIN);
  expect(() => tool('age', ['-d', '-i', keyFile], sealed)).toThrow(/no identity matched/);
});
