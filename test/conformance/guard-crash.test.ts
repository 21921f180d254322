/**
 * The guard under faults: killed, with everything around it, at each of its file operations, and on a
 * disk that is full at each of them. Afterwards there is the old configuration or the new one, whole.
 */

import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { CHANGED, createStand, FILES, type Files, NEW, OLD } from './guard-stand.ts';
import { SHELLS } from './shells.ts';

const stands = SHELLS.map((shell) => ({ name: shell.name, stand: createStand(shell) }));
afterAll(() => {
  for (const { stand } of stands) stand.remove();
});

/** Each file is one of its two versions, or there is none where there was none. */
function expectWhole(files: Files): void {
  for (const [name, content] of Object.entries(files)) {
    if (name.startsWith('.nymote-guard.')) continue;
    expect([OLD, NEW].map((version: Files) => version[name])).toContain(content);
  }
}

describe.each(stands)('$name', ({ stand }) => {
  const arm = ['arm', 'change', '60', ...FILES];

  function begin(): void {
    stand.setClock('boot-1', 1_000);
    expect(stand.run('restore')).toMatchObject({ status: 0 });
    stand.reset();
  }

  function change(): void {
    begin();
    stand.change();
  }

  /** Starts again, with another id of the boot and an uptime near zero. */
  function restart(): void {
    stand.setClock('boot-2', 3);
    expect(stand.run('boot')).toMatchObject({ status: 0 });
  }

  // Processes that are killed lose nothing; a disk without power loses what was not made to last.
  test('nothing rests on what is not on the disk yet', () => {
    const [state, config] = ['/etc/nymote/guard', '/etc/config'];
    begin();
    expect(stand.listOrder(...arm)).toEqual([
      ...['/change/1', '/change/2', '/change/list', '/change', '', '/..', '/../..', '/.armed'].map(
        (path) => `fsync ${join(state, path)}`,
      ),
      `rename ${state}/.armed ${state}/armed`,
      `fsync ${state}`,
    ]);
    stand.write(NEW);
    const back = stand.remember();
    const end = [
      `fsync ${state}/.last.new`,
      `rename ${state}/.last.new ${state}/.last`,
      `unlink ${state}/armed`,
      `fsync ${state}`,
    ];
    const isRemoval = (line: string) => /^unlink (?!.*armed|.*firewall)/.test(line);
    const order = (...verb: string[]) =>
      stand.listOrder(...verb).filter((line) => !isRemoval(line));
    expect(order('confirm', 'change')).toEqual([
      ...['network', 'wireless', 'firewall'].flatMap((name) => [
        `fsync ${config}/${name}`,
        `fsync ${config}`,
      ]),
      ...end,
    ]);
    back();
    expect(order('restore', 'change')).toEqual([
      ...['network', 'wireless'].flatMap((name, index) => [
        `link ${state}/change/${index + 1} ${config}/.nymote-guard.${name}`,
        `fsync ${config}/.nymote-guard.${name}`,
        `rename ${config}/.nymote-guard.${name} ${config}/${name}`,
        `fsync ${config}`,
      ]),
      `unlink ${config}/firewall`,
      `fsync ${config}`,
      ...end,
    ]);
  });

  test('cut off while arming: the old configuration, and the next change can be armed', () => {
    begin();
    const back = stand.remember();
    const steps = stand.listSteps(...arm);
    expect(steps.length).toBeGreaterThan(15);
    for (const step of steps) {
      back();
      stand.setClock('boot-1', 1_000);
      stand.runInto({ ...step, kind: 'kill' }, ...arm);
      restart();
      expect({ step, files: stand.read() }).toEqual({ step, files: OLD });
      expect(stand.status().pending).toBeNull();
      expect(stand.run('arm', 'next', '60', ...FILES).status).toBe(0);
      expect(stand.status().pending.files).toEqual(FILES);
    }
  });

  test('cut off while confirming: old until it lasts, new from then on', () => {
    change();
    const back = stand.remember();
    const steps = stand.listSteps('confirm', 'change');
    const found = steps.map((step) => {
      back();
      stand.setClock('boot-1', 1_000);
      stand.runInto({ ...step, kind: 'kill' }, 'confirm', 'change');
      expect(stand.read()).toEqual(CHANGED);
      restart();
      const files = stand.read();
      expect([OLD, CHANGED]).toContainEqual(files);
      expect(stand.status().pending).toBeNull();
      return { ...step, outcome: 'firewall' in files ? 'new' : 'old' };
    });
    // The shell's own steps (command 0) lie between the others.
    const outcomes = found.filter(({ command }) => command > 0).map(({ outcome }) => outcome);
    expect(outcomes.join(' '), JSON.stringify(found)).toMatch(/^(old )+(new ?)+$/);
  });

  test.each([
    { verb: 'restore', boot: 'boot-1', uptime: 1_000, why: 'while going back' },
    { verb: 'boot', boot: 'boot-2', uptime: 3, why: 'while a start goes back' },
  ])(
    'cut off $why: no file is torn, and the next start has the old configuration',
    ({ verb, boot, uptime }) => {
      change();
      const back = stand.remember();
      stand.setClock(boot, uptime);
      const steps = stand.listSteps(verb);
      for (const step of steps) {
        back();
        stand.setClock(boot, uptime);
        stand.runInto({ ...step, kind: 'kill' }, verb);
        expectWhole(stand.read());
        stand.setClock('boot-3', 3);
        expect(stand.run('boot').status).toBe(0);
        expect({ step, files: stand.read() }).toEqual({ step, files: OLD });
        expect(stand.status().pending).toBeNull();
      }
    },
  );

  test('the guard alone is killed while going back: it goes on, and the system hears of all files', () => {
    change();
    const back = stand.remember();
    for (const step of stand.listSteps('restore')) {
      back();
      stand.forgetReloads();
      stand.runInto({ ...step, kind: 'kill' }, 'restore');
      expect(stand.run('restore').status).toBe(0);
      expect({ step, files: stand.read() }).toEqual({ step, files: OLD });
      expect(stand.reloads()).toContain(FILES.join(' '));
    }
  });

  test('cut off while the deadline moves: it is the old one or the new one', () => {
    change();
    const back = stand.remember();
    for (const step of stand.listSteps('extend', 'change', '300')) {
      back();
      stand.runInto({ ...step, kind: 'kill' }, 'extend', 'change', '300');
      expect([60, 300]).toContain(stand.status().pending?.secondsLeft);
    }
  });

  test('a full disk while arming: it says so, and nothing is left behind', () => {
    begin();
    const back = stand.remember();
    for (const step of stand.listSteps(...arm)) {
      back();
      stand.setClock('boot-1', 1_000);
      const { status } = stand.runInto({ ...step, kind: 'full' }, ...arm);
      const { pending } = stand.status();
      expect({ step, isPending: pending !== null }).toEqual({ step, isPending: status === 0 });
      expect(stand.read()).toEqual(OLD);
      // Armed, whether at once or now that there is room, it holds what it promises.
      if (status !== 0) expect(stand.run(...arm).status).toBe(0);
      stand.write(NEW);
      restart();
      expect({ step, files: stand.read() }).toEqual({ step, files: OLD });
    }
  });

  test('a disk that stays full: nothing can be armed, but a change ends either way', () => {
    begin();
    expect(stand.runFull(...arm)).not.toBe(0);
    expect(stand.status().pending).toBeNull();
    for (const [verb, files] of [
      [['confirm', 'change'], CHANGED],
      [['restore', 'change'], OLD],
    ] as const) {
      change();
      expect(stand.runFull(...verb)).toBe(0);
      expect(stand.status().pending).toBeNull();
      expect(stand.read()).toEqual(files);
    }
  });

  test.each(['restore', 'confirm change'])(
    'a full disk at %s: done, or said and done later',
    (line) => {
      change();
      const back = stand.remember();
      const verb = line.split(' ');
      const wanted = verb[0] === 'restore' ? OLD : CHANGED;
      for (const step of stand.listSteps(...verb)) {
        back();
        const { status } = stand.runInto({ ...step, kind: 'full' }, ...verb);
        expectWhole(stand.read());
        if (status !== 0 && stand.status().pending !== null) {
          expect(stand.run(...verb).status).toBe(0);
        }
        expect({ step, files: stand.read() }).toEqual({ step, files: wanted });
        expect(stand.status().pending).toBeNull();
      }
    },
  );
});
