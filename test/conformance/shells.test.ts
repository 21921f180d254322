/**
 * Every shell script of the project, known by its first line, its name or its place. Those that are
 * written while a package is made: openwrt-package.test.ts.
 */

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { expectFlawless } from './shells.ts';

const PROJECT = join(import.meta.dirname, '../..');
const LISTED = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate'];
/** What OpenWrt runs or includes, whatever it begins with. */
const PLACES = /\.sh$|\/(?:init\.d|uci-defaults|hotplug\.d|libexec)\//;

const files = execFileSync('git', LISTED, { cwd: PROJECT, encoding: 'utf8' }).split('\0');
const scripts = files
  .filter((path) => path !== '' && existsSync(join(PROJECT, path)))
  .map((path) => ({ path, text: readFileSync(join(PROJECT, path), 'utf8') }))
  .filter(({ path, text }) => /^#!.*\b(?:ba|da|a)?sh\b/.test(text) || PLACES.test(path));

test('scripts are found by what they are', () => {
  const paths = scripts.map(({ path }) => path.replace('openwrt/package/files/', ''));
  expect(paths).toEqual(
    expect.arrayContaining([
      '.ci/run',
      'etc/init.d/nymote',
      'etc/profile.d/nymote.sh',
      'usr/libexec/nymote-guard',
    ]),
  );
});

test.each(scripts)('$path', ({ text }) => expectFlawless(text));
