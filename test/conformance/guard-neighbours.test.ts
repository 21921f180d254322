/**
 * The guard among its neighbours: LuCI's own rollback, the process that watches the deadline, and
 * what hears that files were put back. In the two shells it may meet.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../suites/waiting.ts';
import { CHANGED, createStand, FILES, GUARD, OLD } from './guard-stand.ts';
import { SHELLS } from './shells.ts';

describe.each(SHELLS)('$name', (shell) => {
  let stand: ReturnType<typeof createStand>;
  beforeEach(() => {
    stand = createStand(shell);
  });
  afterEach(() => stand.remove());

  describe("LuCI's own rollback", () => {
    const snapshot = () => join(stand.root, 'var/run/rpcd/snapshot-files/network');
    function applyInLuci(minutesAgo: number): void {
      mkdirSync(dirname(snapshot()), { recursive: true });
      writeFileSync(snapshot(), 'what LuCI would bring back');
      const time = Date.now() / 1_000 - minutesAgo * 60;
      utimesSync(snapshot(), time, time);
    }

    test.each([
      { minutesAgo: 0, status: 3, why: 'may still take away what would be kept' },
      { minutesAgo: 5, status: 0, why: 'is over' },
    ])('of $minutesAgo minutes ago $why', ({ minutesAgo, status }) => {
      applyInLuci(minutesAgo);
      expect(stand.arm().status).toBe(status);
    });

    test('keeps nothing from being put back, whatever is in its place', () => {
      stand.change();
      mkdirSync(snapshot(), { recursive: true });
      expect(stand.run('restore').status).toBe(0);
      expect(stand.read()).toEqual(OLD);
    });

    test('does not bring back what we took back', () => {
      stand.change();
      applyInLuci(0);
      expect(stand.run('restore').status).toBe(0);
      expect(() => readFileSync(snapshot())).toThrow('ENOENT');
    });
  });

  describe('on watch', () => {
    /** Runs the watch until `condition` holds. */
    async function watchUntil(condition: () => boolean): Promise<void> {
      const [program, ...args] = shell.command;
      const env = { ...process.env, ...stand.environment() };
      const child = spawn(program, [...args, GUARD, 'watch'], { env, stdio: 'ignore' });
      const exited = once(child, 'exit');
      try {
        await until('the guard did it', condition);
      } finally {
        child.kill('SIGKILL');
        await exited;
      }
    }

    test('past the deadline it goes back, and the system hears of it', async () => {
      stand.change();
      stand.setClock('boot-1', 1_059);
      let looks = 0;
      await watchUntil(() => {
        // It has had time to look once or twice, and it is not yet time.
        if (++looks < 100) return false;
        if (looks === 100) {
          expect(stand.read()).toEqual(CHANGED);
          stand.setClock('boot-1', 1_060);
        }
        return stand.status().pending === null;
      });
      expect(stand.read()).toEqual(OLD);
      expect(stand.reloads()).toEqual([FILES.join(' ')]);
      expect(stand.status().last).toMatchObject({ outcome: 'rolled-back', reason: 'deadline' });
    });

    test('what the start could not put back is put back later', async () => {
      stand.change();
      stand.setClock('boot-2', 20);
      await watchUntil(() => stand.status().pending === null);
      expect(stand.read()).toEqual(OLD);
      expect(stand.status().last).toMatchObject({ reason: 'power-cut' });
    });
  });

  describe('telling the system', () => {
    function install(path: string, script: string): void {
      mkdirSync(join(path, '..'), { recursive: true });
      writeFileSync(path, `#!/bin/sh\n${script}\n`);
      chmodSync(path, 0o755);
    }
    const said = () => readFileSync(join(stand.folder, 'said'), 'utf8').trim().split('\n');

    test('procd hears of each package of uci, and hooks of every path', () => {
      const say = `echo "\${0##*/} $*" >>'${stand.folder}/said'`;
      install(join(stand.folder, 'tools/ubus'), say);
      install(join(stand.folder, 'tools/reload_config'), say);
      install(join(stand.folder, 'hooks/10-ours'), say);
      writeFileSync(join(stand.folder, 'hooks/README'), 'not a program');
      stand.change();
      expect(stand.runWith({ NYMOTE_GUARD_RELOAD: '' }, 'restore').status).toBe(0);
      const event = (name: string) =>
        `ubus call service event {"type":"config.change","data":{"package":"${name}"}}`;
      expect(said()).toEqual([
        event('network'),
        event('wireless'),
        event('firewall'),
        'reload_config ',
        `10-ours ${FILES.join(' ')}`,
      ]);
    });

    test('a hook that fails, or is not there, keeps nothing from being put back', () => {
      install(join(stand.folder, 'hooks/fails'), 'exit 1');
      stand.change();
      expect(stand.runWith({ NYMOTE_GUARD_RELOAD: '' }, 'restore').status).toBe(0);
      expect(stand.read()).toEqual(OLD);
      expect(stand.status().pending).toBeNull();
    });

    test('programs that end at once leave no words between ours', () => {
      const names = Array.from({ length: 60 }, (_, index) => `quick-${index}`);
      for (const name of names) install(join(stand.folder, 'hooks', name), 'exit 0');
      stand.change();
      const { stderr } = stand.runWith({ NYMOTE_GUARD_RELOAD: '' }, 'restore');
      const lines = stderr.split('\n').filter((line) => !line.includes('failed: ubus'));
      expect(lines).toEqual(['nymote-guard: change: rolled-back (asked)', '']);
    });

    test('what a hook starts does not hold the lock', () => {
      stand.change();
      const reload = { NYMOTE_GUARD_RELOAD: 'sleep 60 & echo $! >"$NYMOTE_GUARD_STATE/../pid"' };
      expect(stand.runWith(reload, 'restore').status).toBe(0);
      const pid = Number(readFileSync(join(stand.state, '../pid'), 'utf8'));
      try {
        expect(stand.arm('next').status).toBe(0);
      } finally {
        process.kill(pid);
      }
    });
  });
});
