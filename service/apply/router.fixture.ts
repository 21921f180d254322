/** A router for tests: its `uci` and its guard, in memory. */

import { type FakeRuntime, fakeRuntime } from '#runtime/fake';

/** Where its guard is. */
export const GUARD = '/usr/libexec/nymote-guard';
const STAGE = '/tmp/nymote-uci';

/** A router: what it holds, what its guard keeps, and which checks fail. */
export class Router {
  values = new Map([
    ['network.lan', 'interface'],
    ['network.lan.ipaddr', '1'],
    ['system.main', 'system'],
    ['system.main.zonename', 'UTC'],
  ]);
  /** What `uci commit` would write. */
  staged: (readonly [string, string | undefined])[] = [];
  kept: { id: string; values: Map<string, string> } | undefined;
  last = { id: '', outcome: 'none', reason: '' };
  isBusy = false;
  /** The guard does not answer. */
  isMute = false;
  /** On a slow disk: an arming or a commit of uci is done, and a status that was read is told, after this. */
  slow: {
    readonly arm?: Promise<void>;
    readonly status?: Promise<void>;
    readonly stage?: Promise<void>;
  } = {};
  secondsLeft = 9;
  failing: string[] = [];
  runtime: FakeRuntime = this.boot();

  /** The machine, with these files when it was there before. */
  boot(options: Parameters<typeof fakeRuntime>[0] = {}): FakeRuntime {
    return fakeRuntime({
      ...options,
      exec: {
        ...options.exec,
        uci: async ({ args }) => {
          const words = args.filter((word) => word !== '-q' && word !== '-t' && word !== STAGE);
          if (words[0] === 'set') await this.slow.stage;
          return this.uci(words);
        },
        reload_config: {},
        [GUARD]: async ({ args }) => {
          if (args[0] === 'arm') await this.slow.arm;
          const answer = this.guard(args);
          if (args[0] === 'status') await this.slow.status;
          return answer;
        },
      },
    });
  }

  uci([verb, what = '']: readonly string[]) {
    const [key = '', value = ''] = what.split('=');
    if (verb === 'show') {
      const own = [...this.values].filter(([each]) => each.startsWith(`${key}.`));
      return { stdout: own.map(([each, text]) => `${each}='${text}'\n`).join('') };
    }
    if (verb === 'set') this.staged.push([key, value]);
    if (verb === 'delete') this.staged.push([key, undefined]);
    if (verb === 'revert' || verb === 'commit') {
      const ofPackage = ([each]: readonly [string, unknown]) => each.startsWith(`${key}.`);
      const own = this.staged.filter(ofPackage);
      this.staged = this.staged.filter((change) => !ofPackage(change));
      if (verb === 'commit') this.save(own);
    }
    return {};
  }

  private save(changes: readonly (readonly [string, string | undefined])[]): void {
    for (const [key, value] of changes) {
      if (value === undefined) this.values.delete(key);
      else this.values.set(key, value);
    }
  }

  guard([verb, id = '']: readonly string[]) {
    if (this.isMute) return { exitCode: 1 };
    const isOurs = this.kept?.id === id;
    if (verb === 'arm' && (this.isBusy || this.kept !== undefined)) return { exitCode: 3 };
    if (verb === 'arm') this.kept = { id, values: new Map(this.values) };
    if (verb === 'confirm' && isOurs) this.end('confirmed', 'asked');
    if (verb === 'restore' && isOurs) this.end('rolled-back', 'asked');
    if (verb === 'status') {
      const pending =
        this.kept === undefined ? null : { id: this.kept.id, secondsLeft: this.secondsLeft };
      return { stdout: JSON.stringify({ pending, last: this.last }) };
    }
    return { exitCode: verb === 'arm' || isOurs ? 0 : 6 };
  }

  end(outcome: string, reason: string): void {
    if (this.kept === undefined) return;
    if (outcome === 'rolled-back') this.values = this.kept.values;
    this.last = { id: this.kept.id, outcome, reason };
    this.kept = undefined;
  }
}
