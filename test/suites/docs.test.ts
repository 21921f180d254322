/** The documents against what is there, so that neither goes stale alone. */

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const read = (name: string): string => readFileSync(join(ROOT, name), 'utf8');
const tracked = execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' }).split('\n');
const folders = [
  ...new Set(tracked.filter((path) => path.includes('/')).map((path) => path.split('/')[0] ?? '')),
];

test('ARCHITECTURE.md names every folder', () => {
  const map = read('ARCHITECTURE.md');
  for (const folder of folders.filter((name) => !name.startsWith('.'))) {
    expect(map, folder).toContain(`| \`${folder}/\` |`);
  }
});

test.each(['ARCHITECTURE.md', 'CONTRIBUTING.md', 'README.md'])(
  '%s names files that are there',
  (document) => {
    const paths = [
      ...read(document)
        .replaceAll(/^\| `.*$/gm, '')
        .matchAll(/(?<![\w./*-])((?:[a-z-]+\/)+[a-z-]+\.(?:ts|mjs|md|json))\b/g),
    ];
    for (const [, path = ''] of paths) expect(existsSync(join(ROOT, path)), path).toBe(true);
  },
);

test('the files that the map sends a reader to are in their folders', () => {
  const rows = read('ARCHITECTURE.md').matchAll(/^\| `([a-z-]+)\/` \|[^|]*\|([^|]*)\|$/gm);
  for (const [, folder = '', files = ''] of rows) {
    for (const [, file = ''] of files.matchAll(/`([^`]+)`/g)) {
      expect(existsSync(join(ROOT, folder, file)), `${folder}/${file}`).toBe(true);
    }
  }
});

test('README.md shows commands that exist', () => {
  const help = execFileSync(process.execPath, [join(ROOT, 'service/main.ts'), 'help'], {
    encoding: 'utf8',
  });
  const shown = read('README.md').matchAll(
    /(?:npx |^)nymote ((?:device|zone|token) \w+|[a-z][a-z-]+)/gm,
  );
  for (const [, verb = ''] of shown) {
    if (verb === 'help') continue;
    expect(help, verb).toMatch(new RegExp(`^ {2}${verb}\\b`, 'm'));
  }
});

test('standards that README.md names are cited where they are followed', () => {
  const [, section = ''] = /^## Standards$(.*?)^## /ms.exec(read('README.md')) ?? [];
  const named = [...section.matchAll(/\b\d{4}\b/g)].map(([number]) => number);
  const sources = tracked.filter(
    (name) => /\.tsx?$/.test(name) && !/^test\/|\.(test|fixture)\./.test(name),
  );
  const code = sources.filter((name) => existsSync(join(ROOT, name))).map(read);
  const cited = new Set(code.join('\n').match(/(?<=RFC )\d{4}\b/g));
  expect(named.length).toBeGreaterThan(50);
  expect(named.filter((number) => !cited.has(number))).toEqual([]);
});

test('invariants that code and tests cite are stated', () => {
  const stated = new Set(
    [...read('ARCHITECTURE.md').matchAll(/^- \*\*(I\d+)\*\*/gm)].map(([, name]) => name),
  );
  for (const path of tracked.filter(
    (name) => /\.tsx?$/.test(name) && existsSync(join(ROOT, name)),
  )) {
    for (const [, name = ''] of read(path).matchAll(/\((I\d+)\)/g))
      expect(stated, path).toContain(name);
  }
});

test('decisions are numbered without a gap', () => {
  const numbers = readdirSync(join(ROOT, 'docs/adr')).map((name) => Number(name.slice(0, 4)));
  expect(numbers.sort((a, b) => a - b)).toEqual(numbers.map((_, index) => index + 1));
});

test('no folder holds only a placeholder', () => {
  for (const folder of folders) {
    const files = tracked.filter(
      (path) => path.startsWith(`${folder}/`) && existsSync(join(ROOT, path)),
    );
    const bytes = files.reduce((sum, path) => sum + statSync(join(ROOT, path)).size, 0);
    expect(bytes, folder).toBeGreaterThan(100);
  }
});
