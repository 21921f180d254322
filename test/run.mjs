/**
 * Runs everything that can tell whether nymote is right, with the project's own Node.
 *
 *     run.mjs                  all checks and all tests; as root it installs the programs it lacks
 *     run.mjs PROJECT…         some of the vitest projects: unit suite scenario netns browser
 *     run.mjs check            what needs no other program: lint, types, dead code, unit tests
 *     run.mjs lab              two homes and an internet in network namespaces, explained
 *     run.mjs bench …          measurements
 *     run.mjs package …        packages for OpenWrt
 *
 * The last line is `N passed, N failed`. Plain JavaScript, because it runs on any Node from 20 on.
 */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureTools } from './debian.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Projects that bear company run together; the others would disturb each other's timing. */
const GROUPS = [['unit', 'suite', 'scenario'], ['netns'], ['browser']];

const CHECKS = [
  { name: 'biome', args: ['@biomejs/biome/bin/biome', 'ci', '--error-on-warnings'] },
  { name: 'tsc', args: ['typescript/bin/tsc'] },
  { name: 'tsc web-admin/ui', args: ['typescript/bin/tsc', '-p', 'web-admin/ui/tsconfig.json'] },
  { name: 'knip', args: ['knip/bin/knip.js'] },
].filter(({ args }) => args.at(-2) !== '-p' || existsSync(join(ROOT, args.at(-1))));

const PROGRAMS = {
  lab: 'test/netns/lab.ts',
  bench: 'test/bench/main.ts',
  package: 'openwrt/package/build.ts',
};

const [mode, ...rest] = process.argv.slice(2);
if (mode === 'lab') requireRoot();
const node = prepare();
const env = { ...process.env, PATH: [dirname(node), process.env.PATH].join(delimiter) };

if (mode === 'check') await check();
else if (mode in PROGRAMS) runProgram(PROGRAMS[mode], rest);
else await test(process.argv.slice(2));

/** Dependencies, the web admin and Node 24; returns the path of the latter. */
function prepare() {
  const { status, stdout } = spawnSync(
    process.execPath,
    [join(ROOT, 'service', 'launch.mjs'), '--prepare-tests'],
    { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' },
  );
  if (status !== 0) process.exit(1);
  return stdout.trim();
}

function requireRoot() {
  if (process.getuid?.() === 0) return;
  console.log('the lab makes network namespaces, which takes root: sudo npm run lab');
  process.exit(1);
}

function runProgram(path, args) {
  if (mode === 'lab' && report(ensureTools()) > 0) process.exit(1);
  const { status } = spawnSync(node, [join(ROOT, path), ...args], {
    cwd: ROOT,
    env,
    stdio: 'inherit',
  });
  process.exit(status ?? 1);
}

/** Quick enough for every save: all at once, words only from what failed. */
async function check() {
  const started = performance.now();
  const directory = mkdtempSync(join(tmpdir(), 'nymote-check-'));
  const results = await Promise.all([
    ...CHECKS.map(({ name, args }) => runQuietly(name, args)),
    runQuietly('unit tests', vitestArgs(['unit'], join(directory, 'unit.json'))),
  ]);
  const counts = countTests(join(directory, 'unit.json'));
  rmSync(directory, { recursive: true });
  const failed = results.filter(({ status }) => status !== 0);
  for (const { name, output } of failed) console.log(`\n── ${name} ──\n${output}`);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${failed.map(({ name }) => name).join(', ') || 'nothing'} failed, ${seconds} s`);
  const ofChecks = failed.filter(({ name }) => name !== 'unit tests').length;
  const ofTests = failed.length > ofChecks ? Math.max(1, counts.failed) : 0;
  finish({ ...counts, failed: ofChecks + ofTests });
}

async function test(projects) {
  const unknown = projects.filter((project) => !GROUPS.flat().includes(project));
  if (unknown.length > 0) {
    console.log(`no such project: ${unknown.join(' ')} (there are: ${GROUPS.flat().join(' ')})`);
    process.exit(2);
  }
  const total = { passed: 0, failed: 0, skipped: 0 };
  const onlyUnit = projects.length > 0 && projects.every((project) => project === 'unit');
  if (!onlyUnit) total.failed += report(ensureTools());
  if (projects.length === 0) total.failed += await runChecks();
  const directory = mkdtempSync(join(tmpdir(), 'nymote-test-'));
  for (const group of GROUPS) {
    const wanted = group.filter((project) => projects.length === 0 || projects.includes(project));
    if (wanted.length === 0) continue;
    const counts = await runTests(wanted, join(directory, `${wanted[0]}.json`));
    for (const kind of Object.keys(total)) total[kind] += counts[kind];
  }
  rmSync(directory, { recursive: true });
  finish(total);
}

async function runChecks() {
  let failed = 0;
  for (const { name, args } of CHECKS) {
    console.log(`\n── ${name} ──`);
    if ((await runLoudly(args)) !== 0) failed += report([`${name} found something`]);
  }
  return failed;
}

async function runTests(projects, reportFile) {
  console.log(`\n── tests: ${projects.join(', ')} ──`);
  const status = await runLoudly(vitestArgs(projects, reportFile));
  const counts = countTests(reportFile);
  // A file that cannot be loaded and an error outside of any test are no failed tests to vitest.
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

function vitestArgs(projects, reportFile) {
  return [
    'vitest/vitest.mjs',
    'run',
    '--passWithNoTests',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${reportFile}`,
    ...projects.map((project) => `--project=${project}`),
  ];
}

function countTests(reportFile) {
  try {
    const counted = JSON.parse(readFileSync(reportFile, 'utf8'));
    return {
      passed: counted.numPassedTests,
      failed: counted.numFailedTests,
      skipped: counted.numPendingTests + counted.numTodoTests,
    };
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
}

function start(args, stdio) {
  const [program, ...words] = args;
  const path = join(ROOT, 'node_modules', program);
  return spawn(node, [path, ...words], { cwd: ROOT, env, stdio });
}

function runLoudly(args) {
  const child = start(args, ['ignore', 'inherit', 'inherit']);
  return new Promise((resolve) => child.on('close', (status) => resolve(status ?? 1)));
}

function runQuietly(name, args) {
  const child = start(args, ['ignore', 'pipe', 'pipe']);
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  child.stderr.on('data', (data) => {
    output += data;
  });
  return new Promise((resolve) => {
    child.on('close', (status) => resolve({ name, output, status: status ?? 1 }));
  });
}

/** Prints problems; returns how many. */
function report(problems) {
  for (const problem of problems) console.log(`✗ ${problem}`);
  return problems.length;
}

function finish({ passed, failed, skipped }) {
  process.exitCode = failed === 0 ? 0 : 1;
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
}
