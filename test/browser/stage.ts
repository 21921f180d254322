/**
 * A web admin to look at: the built page, a household in memory, a real listener on loopback and
 * Debian's chromium.
 */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

import { nodeRuntime } from '#runtime/node';
import { type Assets, createApp, parseAssets } from '#web-admin';
import { PATIENCE_MS } from '../suites/waiting.ts';
import { createHousehold, type Household } from './household.ts';

const CHROMIUM = '/usr/bin/chromium';
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export type Stage = AsyncDisposable & {
  readonly household: Household;
  readonly page: Page;
  readonly origin: string;
  /** What no page of ours may do: script errors, policy violations, requests to elsewhere. */
  readonly faults: readonly string[];
  /** Opens a one-time link and waits for the first screen. */
  signIn(): Promise<void>;
  /** Saves what is seen, when NYMOTE_SHOTS names a directory. */
  shoot(name: string): Promise<void>;
};

/** Builds the browser's files as the package does. */
export async function buildAssets(): Promise<Assets> {
  await promisify(execFile)(process.execPath, ['web-admin/ui/build.mjs']);
  return parseAssets(await readFile('web-admin/ui/built/assets.json', 'utf8'));
}

export async function launchBrowser(): Promise<Browser> {
  if (!existsSync(CHROMIUM)) {
    throw new Error(`${CHROMIUM} is missing: install the Debian package 'chromium'.`);
  }
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS, timeout: PATIENCE_MS });
}

/** One household with one page that looks at it. */
export async function setStage(
  browser: Browser,
  assets: Assets,
  options: BrowserContextOptions = {},
): Promise<Stage> {
  const runtime = nodeRuntime({ log: () => {} });
  const household = createHousehold(runtime.clock.now);
  const app = createApp(household, {
    clock: runtime.clock,
    log: runtime.log,
    assets,
    trust: 'web',
    hosts: () => ['127.0.0.1'],
  });
  const listener = await runtime.http.listen({ address: '127.0.0.1', port: 0 }, app.fetch);
  const origin = `http://127.0.0.1:${'port' in listener.local ? listener.local.port : 0}`;
  const context = await browser.newContext({
    viewport: { width: 390, height: 844 },
    // What moves would be measured in the middle of it.
    reducedMotion: 'reduce',
    ...options,
  });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const faults = watch(page, origin);

  return {
    household,
    page,
    origin,
    faults,
    async signIn() {
      await page.goto(`${origin}/sign-in#${household.code()}`);
      await page.getByRole('heading', { level: 1 }).waitFor();
      await page.getByText('This is').waitFor();
    },
    async shoot(name) {
      const directory = process.env['NYMOTE_SHOTS'];
      if (directory === undefined) return;
      await mkdir(directory, { recursive: true });
      await page.screenshot({ path: `${directory}/${name}.png` });
    },
    async [Symbol.asyncDispose]() {
      // Requests that are held up have nobody to answer them any more.
      await page.unrouteAll({ behavior: 'ignoreErrors' });
      await context.close();
      app[Symbol.dispose]();
      await listener[Symbol.asyncDispose]();
    },
  };
}

function watch(page: Page, origin: string): readonly string[] {
  const faults: string[] = [];
  page.on('pageerror', ({ message }) => faults.push(message));
  page.on('console', (line) => {
    // A refusal that the page handles is no fault of it.
    const isRefusal = line.text().startsWith('Failed to load resource');
    if (line.type() === 'error' && !isRefusal) faults.push(line.text());
  });
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !url.startsWith('blob:')) faults.push(`asked ${url}`);
  });
  return faults;
}
