import { describe, expect, test } from 'vitest';
import { fakeRuntime } from '#runtime/fake';
import { REAL, realRuntime } from './real.ts';

describe.each([
  { name: REAL, open: () => realRuntime().exec },
  {
    name: 'fake',
    open: () =>
      fakeRuntime({
        exec: {
          'printf %s': ({ args }) => ({ stdout: args[1] ?? '' }),
          'sh -c': { exitCode: 3, stdout: 'out\n', stderr: 'err\n' },
          cat: ({ stdin }) => ({ stdout: new TextDecoder().decode(stdin) }),
          'no-such-program': 'not-found',
        },
      }).exec,
  },
])('$name exec', ({ open }) => {
  test('arguments arrive as they are: there is no shell', async () => {
    const argument = '$(id) `id` "; id\n*';
    expect(await open()('printf', ['%s', argument])).toEqual({
      exitCode: 0,
      stdout: argument,
      stderr: '',
    });
  });

  test('a program that fails is a result', async () => {
    const result = await open()('sh', ['-c', 'echo out; echo err >&2; exit 3']);
    expect(result).toEqual({ exitCode: 3, stdout: 'out\n', stderr: 'err\n' });
  });

  test('standard input is given whole, and empty without', async () => {
    const stdin = new TextEncoder().encode('x'.repeat(100_000));
    expect((await open()('cat', [], { stdin })).stdout).toHaveLength(100_000);
    expect((await open()('cat', [])).stdout).toBe('');
  });

  test('a missing program is not-found', async () => {
    const running = open()('no-such-program', []);
    await expect(running).rejects.toMatchObject({ name: 'RuntimeError', code: 'not-found' });
  });
});

describe(`${REAL} exec`, () => {
  const { exec } = realRuntime();

  // It would go on for longer than this test may take.
  test('a program that takes too long is stopped, even if it does not want to', {
    timeout: 200_000,
  }, async () => {
    const running = exec('sh', ['-c', 'trap "" TERM; sleep 250 & wait; sleep 250'], {
      timeoutMs: 100,
    });
    await expect(running).rejects.toMatchObject({ name: 'RuntimeError', code: 'timeout' });
  });

  test('a program that a signal ended has the exit code a shell would show', async () => {
    expect((await exec('sh', ['-c', 'kill -KILL $$'])).exitCode).toBe(137);
  });

  test('programs speak English, and get what else is set', async () => {
    const { stdout } = await exec('sh', ['-c', 'echo $LC_ALL $MINE'], { env: { MINE: 'yes' } });
    expect(stdout).toBe('C yes\n');
  });

  test("a program is in a group of its own, where a terminal's Ctrl-C does not reach it", async () => {
    const { stdout } = await exec('cut', ['-d', ' ', '-f', '1,5', '/proc/self/stat']);
    const [process, group] = stdout.trim().split(' ');
    expect(group).toBe(process);
  });

  test('a file that is no program is denied', async () => {
    await expect(exec('/etc/passwd', [])).rejects.toMatchObject({ code: 'denied' });
  });
});

test('a scripted exec remembers its calls, and refuses what is not in its table', async () => {
  const { exec } = fakeRuntime({ exec: { 'wg show': { stdout: 'all' }, 'wg show wg0': {} } });
  expect((await exec('wg', ['show', 'wg1'])).stdout).toBe('all');
  expect((await exec('wg', ['show', 'wg0'])).stdout).toBe('');
  await expect(exec('ip', ['link'])).rejects.toThrow('no row for: ip link');
  expect(exec.calls.map(({ args }) => args)).toEqual([['show', 'wg1'], ['show', 'wg0'], ['link']]);
});
