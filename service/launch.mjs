#!/usr/bin/env node
/**
 * Starts nymote on a machine that has some Node and npm: fetches what is missing, builds the web
 * admin, and hands over to `service/main.ts` on the project's own Node 24.
 *
 *     launch.mjs [ARGUMENTS…]             runs nymote; prepares only what is missing altogether
 *     launch.mjs --prepare [ARGUMENTS…]   prepares whatever is missing or out of date, then runs
 *     launch.mjs --prepare-tests          prepares with the tools for development; prints the path
 *                                         of the Node to use
 *
 * Plain JavaScript, because the Node that reads it may be too old for the rest. Install scripts of
 * packages are never run.
 */

import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const MODULES = join(ROOT, 'node_modules');
const WEB_ADMIN = join(ROOT, 'web-admin', 'ui');

/** What a slow line needs for all there is to fetch. npm is known to stand still for good. */
const NPM_MS = 20 * 60_000;

/** The first Node that runs TypeScript without a flag. */
const OLDEST_NODE = [22, 18];

/** What is passed on to nymote; a terminal sends SIGINT to both of us by itself. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'];

/**
 * In MB. With V8's own choice of the first, a busy resolver holds 85 MB more, and is no faster. The
 * second says how full the heap may be before the old are looked through, too; the machine's memory
 * would say so otherwise, and that is garbage of 20 to 50 MB where there is much of it.
 */
const HEAP = ['--max-semi-space-size=4', '--initial-old-space-size=48'];

const [first, ...rest] = process.argv.slice(2);
if (first === '--prepare-tests') {
  process.stdout.write(`${prepare({ forTests: true })}\n`);
} else if (first === '--prepare') {
  run(prepare({ forTests: false }), rest);
} else {
  const node = existsSync(MODULES) ? findNode() : prepare({ forTests: false });
  run(node, process.argv.slice(2));
}

/** Brings everything up to date; returns the Node to run with. */
function prepare({ forTests }) {
  if (!isInstalled(forTests)) install(forTests);
  linkCommand();
  const node = findNode();
  if (isWebAdminStale()) buildWebAdmin(node);
  return node;
}

/** Compares what npm says it installed with what the lock file asks for. */
function isInstalled(forTests) {
  const wanted = readPackages(join(ROOT, 'package-lock.json'));
  const installed = readPackages(join(MODULES, '.package-lock.json'));
  return Object.entries(wanted).every(([path, entry]) => {
    const isForOthers = entry.optional || entry.devOptional;
    const isForTests = entry.dev && !forTests;
    if (path === '' || isForOthers || isForTests) return true;
    return installed[path]?.version === entry.version && existsSync(join(ROOT, path));
  });
}

function readPackages(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages ?? {};
  } catch {
    return {};
  }
}

function install(forTests) {
  say(`installing what ${forTests ? 'the tests need' : 'it needs'} (npm ci, about a minute)…`);
  // Warnings about engines mean the Node that runs npm, not the one that runs us.
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  // NODE_ENV=production would leave out the tools that tests need.
  const scope = forTests ? ['--include=dev'] : ['--omit=dev'];
  const run = () =>
    spawnSync('npm', ['ci', ...options, ...scope], {
      cwd: ROOT,
      // Standard output may be somebody's pipe.
      stdio: ['ignore', 2, 2],
      timeout: NPM_MS,
    });
  let { status, error } = run();
  if (error?.code === 'ETIMEDOUT') {
    say('npm stands still; once more, with what it has fetched…');
    ({ status, error } = run());
  }
  if (error?.code === 'ENOENT') {
    fail('npm is missing: install it (on Debian: apt-get install npm).');
  }
  if (status !== 0) fail('npm ci failed; its words are above. Is the network there?');
}

/** Lets `npx nymote` in this folder find us: npm links the commands of dependencies only. */
function linkCommand() {
  const directory = join(MODULES, '.bin');
  const link = join(directory, 'nymote');
  const target = join('..', '..', 'service', 'launch.mjs');
  try {
    if (readlinkSync(link) === target) return;
  } catch {
    // Not there, or something else: made anew below.
  }
  mkdirSync(directory, { recursive: true });
  rmSync(link, { force: true });
  symlinkSync(target, link);
  chmodSync(fileURLToPath(import.meta.url), 0o755);
}

/** The project's own Node 24, or the one that runs this when it is new enough. */
function findNode() {
  const own = join(MODULES, `node-${process.platform}-${process.arch}`, 'bin', 'node');
  if (existsSync(own)) {
    // On a machine without glibc it cannot be started.
    if (spawnSync(own, ['--version'], { stdio: 'ignore' }).status === 0) return own;
  }
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isNewEnough =
    major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  if (isNewEnough) return process.execPath;
  return fail(
    `this is Node ${process.versions.node}; nymote needs ${OLDEST_NODE.join('.')} or later. ` +
      `On 64-bit Linux \`npm ci\` in ${ROOT} brings one along; elsewhere install Node 24.`,
  );
}

function isWebAdminStale() {
  if (!existsSync(join(WEB_ADMIN, 'build.mjs'))) return false;
  const built = join(WEB_ADMIN, 'built', 'assets.json');
  return !existsSync(built) || newestIn(WEB_ADMIN) > statSync(built).mtimeMs;
}

/** When the youngest source file was changed. */
function newestIn(directory) {
  let newest = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.name === 'built') continue;
    const path = join(directory, entry.name);
    newest = Math.max(newest, entry.isDirectory() ? newestIn(path) : statSync(path).mtimeMs);
  }
  return newest;
}

function buildWebAdmin(node) {
  say('building the web admin (esbuild)…');
  const { status } = spawnSync(node, [join(WEB_ADMIN, 'build.mjs')], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 2],
  });
  if (status !== 0) fail('the web admin could not be built; the reason is above.');
}

/** Becomes nymote as far as one can: same terminal, same signals, same exit code. */
function run(node, args) {
  const flags = ['--disable-warning=ExperimentalWarning', ...HEAP];
  const child = spawn(node, [...flags, join(ROOT, 'service', 'main.ts'), ...args], {
    stdio: 'inherit',
  });
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  if (process.env.npm_lifecycle_event !== undefined) watchParent(() => child.kill('SIGTERM'));
  child.on('error', (error) => fail(`${node} cannot be started: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/** A stopped npm stops the shell between us, and nothing tells us but another parent. */
function watchParent(onOrphaned) {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    onOrphaned();
  }, 200);
  timer.unref();
}

function say(words) {
  process.stderr.write(`nymote: ${words}\n`);
}

function fail(words) {
  say(words);
  process.exit(1);
}
