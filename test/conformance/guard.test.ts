/**
 * The guard's subcommands and refusals, in the two shells it may meet, on a router's files in a folder.
 */

import { spawn } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CHANGED, createStand, FILES, GUARD, NEW, OLD } from './guard-stand.ts';
import { SHELLS } from './shells.ts';

const NOTHING = { id: '', outcome: 'none', reason: '', at: 0 };

test('with systemd it looks before any network is made', () => {
  const unit = readFileSync(
    join(import.meta.dirname, '../../service/nymote-guard.service'),
    'utf8',
  );
  expect(unit).toMatch(/^Before=network-pre\.target /m);
  expect(unit).toMatch(/^ExecStartPre=-\S+ boot\nExecStart=\S+ watch\nRestart=always$/m);
});

describe.each(SHELLS)('$name', (shell) => {
  let stand: ReturnType<typeof createStand>;
  beforeEach(() => {
    stand = createStand(shell);
  });
  afterEach(() => stand.remove());

  test('nothing is pending at first, and nothing is made by asking', () => {
    expect(stand.status()).toEqual({ pending: null, last: NOTHING });
    expect(stand.run('boot').status).toBe(0);
    expect(() => readdirSync(stand.state)).toThrow('ENOENT');
  });

  test('armed: the files are named and the seconds count down', () => {
    stand.change();
    stand.setClock('boot-1', 1_015);
    expect(stand.status().pending).toEqual({ id: 'change', secondsLeft: 45, files: FILES });
    // Copies hold what the files hold: keys of networks.
    expect(statSync(stand.state).mode & 0o777).toBe(0o700);
  });

  test('confirmed: the new stays, also after a power cut', () => {
    stand.change();
    expect(stand.run('confirm', 'change').status).toBe(0);
    const last = { id: 'change', outcome: 'confirmed', reason: 'asked', at: 1_000 };
    expect(stand.status()).toEqual({ pending: null, last });
    stand.setClock('boot-2', 3);
    expect(stand.run('boot').status).toBe(0);
    expect(stand.read()).toEqual(CHANGED);
    expect(readdirSync(stand.state)).toEqual(['.last']);
  });

  test('asked to go back: the old, a file that was not there is gone, and the system hears of it', () => {
    chmodSync(join(stand.config, 'wireless'), 0o600);
    stand.change();
    rmSync(join(stand.config, 'wireless'));
    expect(stand.run('restore', 'change').status).toBe(0);
    expect(stand.read()).toEqual(OLD);
    expect(statSync(join(stand.config, 'wireless')).mode & 0o777).toBe(0o600);
    expect(stand.reloads()).toEqual([FILES.join(' ')]);
    expect(stand.status().last).toMatchObject({ outcome: 'rolled-back', reason: 'asked' });
    expect(stand.run('restore', 'change').status).toBe(0);
    expect(stand.reloads()).toHaveLength(1);
  });

  test('a power cut in the window: the start goes back, before anything could be reloaded', () => {
    stand.change();
    stand.setClock('boot-2', 3);
    expect(stand.run('boot').status).toBe(0);
    expect(stand.read()).toEqual(OLD);
    expect(stand.reloads()).toEqual([]);
    const last = { id: 'change', outcome: 'rolled-back', reason: 'power-cut', at: 3 };
    expect(stand.status()).toEqual({ pending: null, last });
  });

  test('the guard starts again in the same boot: the change stays pending', () => {
    stand.change();
    expect(stand.run('boot').status).toBe(0);
    expect(stand.read()).toEqual(CHANGED);
    expect(stand.status().pending.id).toBe('change');
  });

  // What could not be put back before the network started is asked for by the service.
  test.each([
    { boot: 'boot-1', seconds: 1_010, reason: 'asked', why: 'in time' },
    { boot: 'boot-1', seconds: 1_060, reason: 'deadline', why: 'when it was over anyway' },
    { boot: 'boot-2', seconds: 5, reason: 'power-cut', why: 'when the power had gone' },
  ])('asked to go back $why: the reason is $reason', ({ boot, seconds, reason }) => {
    stand.change();
    stand.setClock(boot, seconds);
    expect(stand.run('restore', 'change').status).toBe(0);
    expect(stand.status().last).toMatchObject({ outcome: 'rolled-back', reason });
  });

  test('a file that cannot be put back yet is named, and the others are back', () => {
    stand.change();
    rmSync(join(stand.config, 'wireless'));
    mkdirSync(join(stand.config, 'wireless'));
    const { status, stderr } = stand.run('restore');
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: 'nymote-guard: cannot put back, will be tried again: /etc/config/wireless\n',
    });
    expect(readFileSync(join(stand.config, 'network'), 'utf8')).toBe(OLD.network);
    expect(stand.status().pending.id).toBe('change');
    rmSync(join(stand.config, 'wireless'), { recursive: true });
    stand.setClock('boot-2', 3);
    expect(stand.run('boot').status).toBe(0);
    expect(stand.read()).toEqual(OLD);
  });

  test('a folder that went missing comes back with its file', () => {
    stand.change();
    rmSync(stand.config, { recursive: true });
    expect(stand.run('restore').status).toBe(0);
    expect(stand.read()).toEqual(OLD);
  });

  test('where the disk has no links, copies come back, with their modes', () => {
    chmodSync(join(stand.config, 'wireless'), 0o600);
    stand.change();
    rmSync(join(stand.config, 'wireless'));
    rmSync(join(stand.folder, 'tools/ln'));
    writeFileSync(join(stand.folder, 'tools/ln'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    expect(stand.run('restore').status).toBe(0);
    expect(stand.read()).toEqual(OLD);
    expect(statSync(join(stand.config, 'wireless')).mode & 0o777).toBe(0o600);
  });

  test('the copies of a change that was never armed are cleared away by the next', () => {
    mkdirSync(join(stand.state, 'left-over'), { recursive: true });
    expect(stand.arm().status).toBe(0);
    expect(readdirSync(stand.state).sort()).toEqual(['armed', 'change']);
  });

  test.each([
    { line: 'arm', why: 'no arguments' },
    { line: 'arm x 60', why: 'no files' },
    { line: 'arm X 60 /etc/config/network', why: 'an id with a capital' },
    { line: 'arm a/b 60 /etc/config/network', why: 'an id that is a path' },
    { line: 'arm armed 60 /etc/config/network', why: "the marker's own name" },
    { line: `arm ${'a'.repeat(65)} 60 /etc/config/network`, why: 'an id too long' },
    { line: 'arm x 9 /etc/config/network', why: 'too short' },
    { line: 'arm x 3601 /etc/config/network', why: 'too long' },
    { line: 'arm x 060 /etc/config/network', why: 'octal for some' },
    { line: 'arm x 60s /etc/config/network', why: 'not a number' },
    { line: 'arm x -60 /etc/config/network', why: 'negative' },
    { line: 'arm x 99999999999999999999 /etc/config/network', why: 'beyond arithmetic' },
    { line: 'arm x 60 etc/config/network', why: 'a relative path' },
    { line: 'arm x 60 /etc/config/../shadow', why: 'a path that climbs' },
    { line: 'arm x 60 /etc/config/', why: 'a directory by its slash' },
    { line: 'arm x 60 /etc/config', why: 'a directory' },
    { line: 'arm x 60 /etc/config/"', why: 'a quote' },
    { line: 'arm x 60 /etc/config/$(id)', why: 'a command' },
    { line: 'arm x 60 /etc/config/link', why: 'a symbolic link' },
    { line: 'extend', why: 'no arguments' },
    { line: 'extend x', why: 'no seconds' },
    { line: 'extend x 5', why: 'too short' },
    { line: 'confirm', why: 'nothing named' },
    { line: 'confirm ../x', why: 'no id' },
    { line: 'restore a b', why: 'two ids' },
    { line: 'arm-x', why: 'no such verb' },
    { line: 'clock', why: 'a function, not a verb' },
    { line: '', why: 'nothing asked' },
  ])('refuses «$line» (5): $why', ({ line }) => {
    symlinkSync('network', join(stand.config, 'link'));
    expect(stand.run(...line.split(' ').filter(Boolean)).status).toBe(5);
    expect(stand.status().pending).toBeNull();
  });

  test('refuses a path with a line of its own in it', () => {
    expect(stand.run('arm', 'x', '60', '/etc/config/a\nkept /etc/shadow').status).toBe(5);
  });

  test.each(['flock', 'df', 'wc', 'cp', 'mv', 'sync'])(
    'on a system without %s nothing is armed, and nothing is left behind',
    (program) => {
      rmSync(join(stand.folder, 'tools', program));
      expect(stand.arm().status).not.toBe(0);
      expect(stand.status().pending).toBeNull();
      expect(stand.read()).toEqual(OLD);
      stand.setClock('boot-2', 3);
      expect(stand.run('boot').status).toBe(0);
      expect(stand.read()).toEqual(OLD);
    },
  );

  test('refuses a path that ends in a blank: it would come back without', () => {
    expect(stand.run('arm', 'x', '60', '/etc/config/network ').status).toBe(5);
    stand.write({ 'my network': 'old' });
    expect(stand.run('arm', 'x', '60', '/etc/config/my network').status).toBe(0);
    stand.write({ 'my network': 'new' });
    expect(stand.run('restore').status).toBe(0);
    expect(stand.read()).toEqual({ ...OLD, 'my network': 'old' });
  });

  test('a second change is refused (3) and changes nothing about the first', () => {
    stand.change();
    expect(stand.arm('second').status).toBe(3);
    expect(stand.status().pending).toMatchObject({ id: 'change', secondsLeft: 60 });
  });

  test.each(['confirm other', 'extend other 60', 'restore other'])(
    '«%s» is not pending (6)',
    (line) => {
      stand.change();
      expect(stand.run(...line.split(' ')).status).toBe(6);
      expect(stand.read()).toEqual(CHANGED);
    },
  );

  test('what an earlier boot left cannot be confirmed or kept waiting (RFC 6241 §8.4)', () => {
    stand.change();
    stand.setClock('boot-2', 3);
    expect(stand.run('confirm', 'change').status).toBe(6);
    expect(stand.run('extend', 'change', '60').status).toBe(6);
    expect(stand.status().pending.secondsLeft).toBe(0);
  });

  test('the deadline can be moved, and moves from now', () => {
    stand.change();
    stand.setClock('boot-1', 1_050);
    expect(stand.run('extend', 'change', '300').status).toBe(0);
    expect(stand.status().pending.secondsLeft).toBe(300);
  });

  test('two at once: one is armed, the other refused', async () => {
    const [program, ...args] = shell.command;
    const exits = ['one', 'two'].map(
      (id) =>
        new Promise((resolve) => {
          const words = [...args, GUARD, 'arm', id, '60', ...FILES];
          spawn(program, words, { env: { ...process.env, ...stand.environment() } }).on(
            'exit',
            resolve,
          );
        }),
    );
    expect((await Promise.all(exits)).sort()).toEqual([0, 3]);
    expect(['one', 'two']).toContain(stand.status().pending.id);
  });

  test.each([
    { marker: '', why: 'empty' },
    { marker: '\0'.repeat(64), why: 'zeros' },
    { marker: 'change boot-1 10', why: 'cut short' },
    { marker: 'other boot-1 1060 end\n', why: 'without copies' },
    { marker: '../etc boot-1 1060 end\n', why: 'a path' },
  ])(
    'a marker that a failing disk left ($why) is put aside, and nothing is touched',
    ({ marker }) => {
      stand.change();
      writeFileSync(join(stand.state, 'armed'), marker);
      expect(stand.status().pending).toBeNull();
      stand.setClock('boot-2', 3);
      expect(stand.run('boot').status).toBe(0);
      expect(stand.read()).toEqual(CHANGED);
      expect(stand.arm('next').status).toBe(0);
    },
  );

  test('a copy that is lost: everything else comes back, and it is not called done', () => {
    stand.change();
    rmSync(join(stand.state, 'change/1'));
    expect(stand.run('restore')).toMatchObject({ status: 1 });
    expect(stand.read()).toEqual({ ...OLD, network: NEW.network });
    expect(stand.status().pending.id).toBe('change');
  });

  test('installed again over an old change: it is dropped, and the files stay as they are in use', () => {
    stand.change();
    expect(stand.run('forget').status).toBe(0);
    expect(stand.status().pending.id).toBe('change');
    stand.setClock('boot-2', 900);
    expect(stand.run('forget').status).toBe(0);
    expect(stand.status().pending).toBeNull();
    expect(stand.read()).toEqual(CHANGED);
  });
});
