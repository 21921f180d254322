/**
 * The guard on a machine that starts, loses its power and starts again: a process namespace whose end
 * kills everything in it, with a /run that is gone with it. Only the disk stays. Needs root.
 *
 * The start is OpenWrt's: init scripts one after the other by name, ours as the package has it; procd
 * and the services that read the configuration are stood in for.
 */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CHANGED, createStand, FILES, GUARD, NEW, OLD } from '../conformance/guard-stand.ts';
import { SHELLS } from '../conformance/shells.ts';

const INIT = join(import.meta.dirname, '../../openwrt/package/files/etc/init.d/nymote-guard');

/** What an init script is run by; an instance starts again when it dies. */
const RC_COMMON = `
procd_open_instance() { :; }
procd_set_param() { [ "$1" != command ] || { shift; command="$*"; }; }
procd_close_instance() { ( while :; do $command; sleep 1; done ) >/dev/null 2>&1 & }
start() { start_service; }
. "$1"
"$2"
`;

/** The first process: a fresh /run, then the init scripts. */
const MACHINE = `
mount -t tmpfs tmpfs /run
for script in "$DISK"/rc.d/S??*; do sh "$DISK/rc.common" "$script" boot; done
echo up >>"$DISK/seen"
while :; do sleep 60; done
`;

/** A service that notes what it starts with. */
const READER = 'boot() { cat "$NYMOTE_GUARD_ROOT/etc/config/network" >>"$DISK/seen"; }\n';

describe.each(SHELLS)('$name', (shell) => {
  let stand: ReturnType<typeof createStand>;
  let machine: ChildProcess | undefined;
  const path = (name: string) => join(stand.folder, name);
  const seen = () => (existsSync(path('seen')) ? readFileSync(path('seen'), 'utf8') : '');

  beforeEach(() => {
    if (process.getuid?.() !== 0) throw new Error('process namespaces need root: run as root');
    stand = createStand(shell);
    mkdirSync(path('rc.d'));
    symlinkSync(INIT, path('rc.d/S09nymote-guard'));
    for (const name of ['S19firewall', 'S20network']) writeFileSync(path(`rc.d/${name}`), READER);
    writeFileSync(path('rc.common'), RC_COMMON);
    // The guard as a program, in the shell that is asked for.
    const script = `#!/bin/sh\nexec ${shell.command.join(' ')} '${GUARD}' "$@"\n`;
    writeFileSync(path('guard'), script, { mode: 0o755 });
  });
  afterEach(async () => {
    await cutPower();
    stand.remove();
  });

  /** Starts, and waits until everything has; the clock says which boot it is. */
  async function powerUp(boot: string, seconds: number): Promise<void> {
    stand.setClock(boot, seconds);
    rmSync(path('seen'), { force: true });
    const words = ['--mount', '--pid', '--fork', '--kill-child', '--propagation', 'private'];
    machine = spawn('unshare', [...words, 'sh', '-c', MACHINE], {
      // All of it holds the pipe: it is closed when all of it has ended.
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
      env: {
        ...{ ...process.env, ...stand.environment() },
        ...{ DISK: stand.folder, NYMOTE_GUARD: path('guard') },
      },
    });
    (machine.stdio[3] as Readable).resume();
    while (!seen().endsWith('up\n')) await sleep(10);
  }

  /** Kills the first process, and with it all others; it is over when the last one is. */
  async function cutPower(): Promise<void> {
    const dying = machine;
    if (dying === undefined) return;
    machine = undefined;
    const end = once(dying, 'close');
    dying.kill('SIGKILL');
    await end;
  }

  async function change(): Promise<void> {
    await powerUp('boot-1', 1_000);
    stand.change();
  }

  test('the power goes in the window: each service starts with the old configuration', async () => {
    await change();
    await cutPower();
    expect(stand.read()).toEqual(CHANGED);
    await powerUp('boot-2', 3);
    expect(seen()).toBe(`${OLD.network}${OLD.network}up\n`);
    expect(stand.read()).toEqual(OLD);
    expect(stand.reloads()).toEqual([]);
    expect(stand.status().last).toMatchObject({ outcome: 'rolled-back', reason: 'power-cut' });
  });

  test('nobody confirms: it goes back after the deadline, and services hear of it', async () => {
    await change();
    stand.setClock('boot-1', 1_060);
    while (stand.status().pending !== null) await sleep(20);
    expect(stand.read()).toEqual(OLD);
    expect(stand.reloads()).toEqual([FILES.join(' ')]);
    expect(stand.status().last).toMatchObject({ outcome: 'rolled-back', reason: 'deadline' });
  });

  test('confirmed by somebody else: it stays, past the deadline and a power cut', async () => {
    await change();
    expect(stand.run('confirm', 'change').status).toBe(0);
    stand.setClock('boot-1', 1_061);
    await cutPower();
    await powerUp('boot-2', 3);
    expect(seen()).toBe(`${NEW.network}${NEW.network}up\n`);
    expect(stand.read()).toEqual(CHANGED);
  });

  test('the watch is killed: it starts again, and goes back', async () => {
    await change();
    while (killWatch() === 0) await sleep(20);
    stand.setClock('boot-1', 1_060);
    while (stand.status().pending !== null) await sleep(20);
    expect(stand.read()).toEqual(OLD);
  });

  /** As the kernel does when memory is short; returns how many there were. */
  function killWatch(): number {
    const { stdout } = spawnSync('pgrep', ['-f', `${GUARD} watch`], { encoding: 'utf8' });
    const killed = stdout.split('\n').filter((pid) => {
      try {
        if (pid === '' || !readFileSync(`/proc/${pid}/environ`, 'utf8').includes(stand.folder))
          return false;
        return process.kill(Number(pid), 'SIGKILL');
      } catch {
        // It ended between the listing and the signal.
        return false;
      }
    });
    return killed.length;
  }

  /** Arms with the state on a small disk of its own; the exit code and what is there afterwards. */
  function armOn(options: string): string {
    const script = `mkdir -p "$STATE" && mount -t tmpfs -o ${options} tmpfs "$STATE" || exit 99
      ${shell.command.join(' ')} '${GUARD}' arm change 60 ${FILES.join(' ')}; echo "$?:$(ls -A "$STATE")"`;
    const env = { ...process.env, ...stand.environment(), STATE: stand.state };
    return spawnSync('unshare', ['--mount', 'sh', '-c', script], { encoding: 'utf8', env }).stdout;
  }

  test('no room for names: refused, and nothing is left behind', () => {
    // As many names as there are inodes, the root's among them.
    const found = Array.from({ length: 14 }, (_, index) => armOn(`nr_inodes=${index + 1}`));
    for (const each of found) expect(each).toMatch(/^(4:\n|0:armed\nchange\n)$/);
    expect(found.map(([status]) => status).join('')).toMatch(/^4+0+$/);
  });

  test.each([
    { size: '256k', result: '4:\n', why: 'the copies would fit, the change itself would not' },
    { size: '512k', result: '0:armed\nchange\n', why: 'there is room' },
  ])('on a disk of $size: $why', ({ size, result }) => {
    expect(armOn(`size=${size}`)).toBe(result);
  });
});
