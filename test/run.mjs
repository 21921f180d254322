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
 * A few files that failed beside real programs are run once more, by themselves: a busy machine is
 * no defect of ours. Both what failed and what did only the first time is said again at the end, for
 * those who see no more of it; the last line is `N passed, N failed`. Plain JavaScript, because it
 * runs on any Node from 20 on.
 */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, relative } from 'node:path';
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

/** When more files fail, it is not by chance. */
const MAX_SECOND_TRIES = 3;

const LINES_OF_A_FAILURE = 12;

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
  const lacking = mode === 'lab' ? ensureTools() : [];
  report(lacking);
  if (lacking.length > 0) process.exit(1);
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
  const { passed, failures, skipped } = sum(readReport(join(directory, 'unit.json')));
  rmSync(directory, { recursive: true });
  const failed = results.filter(({ status }) => status !== 0);
  for (const { name, output } of failed) console.log(`\n── ${name} ──\n${output}`);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${failed.map(({ name }) => name).join(', ') || 'nothing'} failed, ${seconds} s`);
  const ofChecks = failed.filter(({ name }) => name !== 'unit tests').length;
  const ofTests = failed.length > ofChecks ? Math.max(1, failures.length) : 0;
  finish({ passed, failed: ofChecks + ofTests, skipped });
}

async function test(projects) {
  const unknown = projects.filter((project) => !GROUPS.flat().includes(project));
  if (unknown.length > 0) {
    console.log(`no such project: ${unknown.join(' ')} (there are: ${GROUPS.flat().join(' ')})`);
    process.exit(2);
  }
  const total = { passed: 0, failures: [], skipped: 0, onlyAlone: [] };
  const onlyUnit = projects.length > 0 && projects.every((project) => project === 'unit');
  if (!onlyUnit) total.failures.push(...ensureTools());
  report(total.failures);
  if (projects.length === 0) total.failures.push(...(await runChecks()));
  const directory = mkdtempSync(join(tmpdir(), 'nymote-test-'));
  for (const group of GROUPS) {
    const wanted = group.filter((project) => projects.length === 0 || projects.includes(project));
    if (wanted.length === 0) continue;
    const first = await runTests(wanted, join(directory, `${wanted[0]}.json`));
    const { results, onlyAlone } = await tryAgain(wanted, first, join(directory, 'again.json'));
    const { passed, failures, skipped } = sum(results);
    total.passed += passed;
    total.skipped += skipped;
    total.failures.push(...failures);
    total.onlyAlone.push(...onlyAlone);
  }
  rmSync(directory, { recursive: true });
  if (total.onlyAlone.length > 0) console.log('\n── what failed once, and passed by itself ──');
  report(total.onlyAlone);
  if (total.failures.length > 0) console.log('\n── what failed ──');
  report(total.failures);
  finish({ ...total, failed: total.failures.length });
}

async function runChecks() {
  const failures = [];
  for (const { name, args } of CHECKS) {
    console.log(`\n── ${name} ──`);
    if ((await runLoudly(args)) !== 0) failures.push(`${name} found something`);
  }
  return failures;
}

async function runTests(projects, reportFile, files = []) {
  console.log(`\n── tests: ${[...projects, ...files].join(', ')} ──`);
  const status = await runLoudly([...vitestArgs(projects, reportFile), ...files]);
  const results = readReport(reportFile);
  if (status !== 0 && results.every(({ failures }) => failures.length === 0)) {
    const failure = `${projects.join(', ')}: an error outside of any test, see above`;
    results.push({ file: '', passed: 0, failures: [failure], skipped: 0 });
  }
  return results;
}

/** The same results but for files that are run again, and what failed in those only before. */
async function tryAgain(projects, first, reportFile) {
  const files = filesToTryAgain(first);
  if (files.length === 0) return { results: first, onlyAlone: [] };
  rmSync(reportFile, { force: true });
  const second = await runTests(projects, reportFile, files);
  const others = first.filter(({ file }) => !files.includes(file));
  const failedAgain = new Set(sum(second).failures.map(headline));
  const onlyAlone = sum(first).failures.filter((failure) => !failedAgain.has(headline(failure)));
  return { results: [...others, ...second], onlyAlone };
}

function headline(failure) {
  return failure.split('\n', 1)[0];
}

/** Those beside real programs, unless they are many. In the rooms what fails once is wrong. */
function filesToTryAgain(results) {
  const failed = results.filter(({ failures }) => failures.length > 0).map(({ file }) => file);
  const chanceIsPossible = failed.every((file) => file.startsWith('test/'));
  return chanceIsPossible && failed.length <= MAX_SECOND_TRIES ? failed : [];
}

function sum(results) {
  return {
    passed: results.reduce((count, { passed }) => count + passed, 0),
    failures: results.flatMap(({ failures }) => failures),
    skipped: results.reduce((count, { skipped }) => count + skipped, 0),
  };
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

/** What became of each file. */
function readReport(reportFile) {
  if (!existsSync(reportFile)) return [];
  const { testResults } = JSON.parse(readFileSync(reportFile, 'utf8'));
  return testResults.map(resultOf);
}

function resultOf({ name, status, message, assertionResults }) {
  const file = relative(ROOT, name);
  const failed = assertionResults.filter((test) => test.status === 'failed');
  const failures = failed.map(
    ({ fullName, failureMessages }) =>
      `${file}: ${fullName}\n${indent(failureMessages.join('\n'))}`,
  );
  // The file itself could not be loaded.
  if (status === 'failed' && failed.length === 0) failures.push(`${file}: ${message}`);
  const passed = assertionResults.filter((test) => test.status === 'passed').length;
  return { file, passed, failures, skipped: assertionResults.length - passed - failed.length };
}

/** Without what other people's code adds to a stack. */
function indent(text) {
  const lines = text.split('\n').filter((line) => !/^ +at .*(node_modules|new Promise)/.test(line));
  return lines
    .slice(0, LINES_OF_A_FAILURE)
    .map((line) => `    ${line.slice(0, 200)}`)
    .join('\n');
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

function report(problems) {
  for (const problem of problems) console.log(`✗ ${problem}`);
}

function finish({ passed, failed, skipped }) {
  process.exitCode = failed === 0 ? 0 : 1;
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
}
