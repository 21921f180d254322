/** What people do in the web admin, in a real browser, against a household that remembers. */

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Assets } from '#web-admin';
import { PATIENCE } from '../suites/waiting.ts';
import { buildAssets, launchBrowser, type Stage, setStage } from './stage.ts';

let browser: Browser;
let assets: Assets;

beforeAll(async () => {
  assets = await buildAssets();
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
});

const question = {
  asker: { address: '192.168.1.20', device: 'phone' },
  transport: 'udp',
  type: 'AAAA',
  rcode: 'NOERROR',
  from: 'zone',
  milliseconds: 0.2,
} as const;

const focused = ({ page }: Stage) => page.evaluate('document.activeElement.textContent.trim()');

test('a link signs in once, leaves no code behind, and signing out ends it', async () => {
  await using stage = await setStage(browser, assets);
  const { page, household, origin } = stage;
  const code = household.code();
  await page.goto(`${origin}/sign-in#${code}`);
  await page.getByRole('heading', { name: 'All is well' }).waitFor();
  expect(page.url()).toBe(`${origin}/`);
  expect(await page.title()).toBe('Home · laptop.alice.nymote');
  expect(await page.evaluate('document.cookie')).toBe('');

  await page.reload();
  await page.getByRole('heading', { name: 'All is well' }).waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in with a link' }).waitFor();
  await page.goto(`${origin}/sign-in#${code}`);
  await page.getByText('This link was used already').waitFor();
  expect(stage.faults).toEqual([]);
});

test('a plain device gets a QR code that says what the text says, once', async () => {
  await using stage = await setStage(browser, assets);
  const { page, household } = stage;
  await stage.signIn();
  await page.getByRole('link', { name: 'Devices' }).click();
  await page.getByRole('button', { name: 'Add device' }).click();
  await page.getByLabel('Name').fill('My Tablet!');
  await page.getByText('It will be my-tablet.alice.nymote').waitFor();
  await page.getByRole('button', { name: 'Add', exact: true }).click();

  const picture = join(await mkdtemp(join(tmpdir(), 'nymote-qr-')), 'qr.png');
  await page.locator('.qr').screenshot({ path: picture });
  await page.getByText('Without a camera').click();
  const config = (await page.locator('dialog pre').textContent()) ?? '';
  expect(config).toContain('PrivateKey = ');
  // What a phone's camera would read.
  const { stdout } = await promisify(execFile)('zbarimg', ['--quiet', '--raw', picture]);
  expect(stdout.trim()).toBe(config.trim());
  await rm(dirname(picture), { recursive: true });

  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download my-tablet.conf' }).click();
  expect((await download).suggestedFilename()).toBe('my-tablet.conf');

  await page.keyboard.press('Escape');
  await page.getByText('Shown only once').waitFor();
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByText('my-tablet', { exact: true }).waitFor();
  expect(await page.content()).not.toContain('PrivateKey');
  expect((await household.devices()).map(({ name }) => name)).toContain('my-tablet');
  expect(stage.faults).toEqual([]);
});

test('a node gets a command, its code and the time that is left', async () => {
  await using stage = await setStage(browser, assets);
  const { page } = stage;
  await stage.signIn();
  await page.goto(`${stage.origin}/#/devices`);
  await page.getByRole('button', { name: 'Add device' }).click();
  await page.getByLabel('Name').fill('server');
  await page.getByText('Computer or router').click();
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  const command = await page.locator('dialog .copy-line code').textContent();
  expect(command).toMatch(/^npx nymote join http:\/\/\S+#\w+$/);
  const left = await page.getByText(/minutes, once/).textContent();
  expect(left).toMatch(/^(10:00|\d:[0-5]\d) minutes, once$/);
  await page.getByText(left ?? '').waitFor({ state: 'detached' });
});

test('a name that is taken is said so, and what was typed stays', async () => {
  await using stage = await setStage(browser, assets);
  const { page } = stage;
  await stage.signIn();
  await page.goto(`${stage.origin}/#/devices`);
  await page.getByRole('button', { name: 'Add device' }).click();
  await page.getByLabel('Name').fill('phone');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('alert').getByText('There is a device called phone already.').waitFor();
  expect(await page.getByLabel('Name').inputValue()).toBe('phone');
});

test('a device is removed after a question, and not when something changed meanwhile', async () => {
  await using stage = await setStage(browser, assets);
  const { page, household } = stage;
  await stage.signIn();
  await page.goto(`${stage.origin}/#/devices`);
  await page.getByText('phone', { exact: true }).click();
  await page.getByRole('button', { name: 'Remove phone' }).click();
  await household.removeDevice('router', { via: 'cli', name: 'somebody else' });
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByText('Something changed in the meantime').waitFor();
  expect(await household.devices()).toHaveLength(2);

  await page.getByRole('button', { name: 'Remove phone' }).click();
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByRole('status').getByText('phone was removed.').waitFor();
  await page.getByText('Only this device so far').waitFor();
  await expect.poll(() => focused(stage), PATIENCE).toBe('Devices');
  expect(await household.devices()).toHaveLength(1);
});

test('questions appear as they are asked, wait while paused, and can be filtered', async () => {
  await using stage = await setStage(browser, assets);
  const { page, household } = stage;
  household.ask({ ...question, name: 'early.alice.nymote.' });
  await stage.signIn();
  await page.getByRole('link', { name: 'Questions' }).click();
  await page.getByText('Live').waitFor();
  const rows = page.getByRole('list', { name: 'Questions, newest first' }).locator('strong');
  household.ask({ ...question, name: 'live.alice.nymote.' });
  await page.getByText('live.alice.nymote', { exact: true }).waitFor();
  await expect
    .poll(() => rows.allTextContents(), PATIENCE)
    .toEqual(['live.alice.nymote', 'early.alice.nymote']);

  await page.getByRole('button', { name: 'Pause' }).click();
  household.ask({ ...question, name: 'later.example.' });
  await page.getByRole('button', { name: '1 new question' }).waitFor();
  expect(await rows.count()).toBe(2);
  await page.getByRole('button', { name: '1 new question' }).click();
  await expect.poll(() => rows.count(), PATIENCE).toBe(3);

  await page.getByRole('searchbox').fill('ALICE');
  await expect.poll(() => rows.count(), PATIENCE).toBe(2);
  await page.getByRole('searchbox').fill('nobody');
  await page.getByText('No question fits').waitFor();
  await page.getByRole('searchbox').fill('');
  await page.getByRole('button', { name: 'Why? live.alice.nymote' }).click();
  await page.getByText('phone may resolve live.alice.nymote').waitFor();

  // A busy network: no more rows than a phone can bear.
  await page.getByRole('button', { name: 'Close' }).click();
  for (let round = 0; round < 100; round++)
    household.ask({ ...question, name: `n${round}.example.` });
  await page.getByText('n99.example', { exact: true }).waitFor();
  await expect.poll(() => rows.count(), PATIENCE).toBe(103);
  expect(stage.faults).toEqual([]);
});

test('a page that nobody sees hangs up, and hears later what it missed', async () => {
  await using stage = await setStage(browser, assets);
  const { page, household } = stage;
  await stage.signIn();
  await page.getByRole('link', { name: 'Questions' }).click();
  await page.getByText('Live').waitFor();
  const see = (state: 'hidden' | 'visible') =>
    page.evaluate(`Object.defineProperty(document, 'visibilityState', {
      configurable: true, value: '${state}',
    }); document.dispatchEvent(new Event('visibilitychange'))`);
  await see('hidden');
  await page.getByText('Connecting').waitFor();
  household.ask({ ...question, name: 'unseen.alice.nymote.' });
  await household.removeDevice('phone', { via: 'cli', name: 'somebody else' });
  await see('visible');
  await page.getByText('unseen.alice.nymote', { exact: true }).waitFor();
  await page.getByRole('link', { name: 'Home' }).click();
  await page.getByText('1 of 1 other device is connected').waitFor();
});

test('a change is seen in History with its fields, and undone', async () => {
  await using stage = await setStage(browser, assets);
  const { page, household } = stage;
  await stage.signIn();
  await page.getByRole('link', { name: 'History' }).click();
  await page.getByText('add phone', { exact: true }).click();
  await page.getByText('name: phone').waitFor();
  await page.getByRole('button', { name: 'Undo this change' }).click();
  await page.getByRole('button', { name: 'Undo', exact: true }).click();
  await page.getByText('revert “add phone”').waitFor();
  expect((await household.devices()).map(({ name }) => name)).toEqual(['laptop', 'router']);
  await page.getByText('revert “add phone”').click();
  await page.locator('.minus', { hasText: 'name: phone' }).waitFor();
});

test('what others change appears by itself, and a session that ends is noticed', async () => {
  await using stage = await setStage(browser, assets);
  const { page, household, origin } = stage;
  await stage.signIn();
  await page.getByRole('link', { name: 'Devices' }).click();
  await page.getByText('phone', { exact: true }).waitFor();
  await household.removeDevice('phone', { via: 'cli', name: 'somebody else' });
  await page.getByText('phone', { exact: true }).waitFor({ state: 'detached' });

  const cookies = await page.context().cookies(origin);
  await household.signIn.end(cookies[0]?.value ?? '');
  await household.removeDevice('router', { via: 'cli', name: 'somebody else' });
  await page.getByRole('heading', { name: 'Sign in with a link' }).waitFor();
});

test('with the keyboard alone: skip, move, add a device, and the focus is where it should be', async () => {
  await using stage = await setStage(browser, assets, { viewport: { width: 1280, height: 800 } });
  const { page, household } = stage;
  await stage.signIn();
  const { keyboard } = page;
  await keyboard.press('Tab');
  await expect.poll(() => focused(stage), PATIENCE).toBe('Skip to content');
  await keyboard.press('Enter');
  await expect.poll(() => focused(stage), PATIENCE).toBe('All is well');

  await tabTo(stage, 'Devices', 'Shift+Tab');
  await keyboard.press('Enter');
  await expect.poll(() => page.evaluate('document.activeElement.tagName'), PATIENCE).toBe('H1');
  await expect.poll(() => focused(stage), PATIENCE).toBe('Devices');
  await page.getByText('phone', { exact: true }).waitFor();
  await tabTo(stage, 'Add device', 'Tab');
  await keyboard.press('Enter');
  await expect.poll(() => page.evaluate('document.activeElement.name'), PATIENCE).toBe('name');
  await keyboard.type('desk');
  await keyboard.press('Tab');
  await keyboard.press('ArrowDown');
  await keyboard.press('Enter');
  await page.getByText('npx nymote join').waitFor();
  await tabTo(stage, 'Done', 'Tab');
  await keyboard.press('Enter');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await expect.poll(() => focused(stage), PATIENCE).toBe('Add device');

  await keyboard.press('Enter');
  await expect.poll(() => page.evaluate('document.activeElement.name'), PATIENCE).toBe('name');
  await keyboard.type('watch');
  await keyboard.press('Enter');
  await page.locator('.qr path').waitFor();
  await tabTo(stage, 'Done', 'Tab');
  await keyboard.press('Enter');
  await page.getByText('watch', { exact: true }).waitFor();
  expect((await household.devices()).map(({ name }) => name)).toContain('watch');
});

async function tabTo(stage: Stage, text: string, key: 'Tab' | 'Shift+Tab'): Promise<void> {
  for (let step = 0; step < 20; step++) {
    await stage.page.keyboard.press(key);
    if ((await focused(stage)) === text) return;
  }
  throw new Error(`${key} does not reach '${text}'`);
}

test('a change on trial is confirmed or taken back from any screen', async () => {
  await using stage = await setStage(browser, assets);
  const { page, household } = stage;
  await stage.signIn();
  await page.getByRole('link', { name: 'History' }).click();
  await household.apply.retry();
  await page.getByText('Taken back in').waitFor();
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByText('On trial').waitFor({ state: 'detached' });
  expect(household.apply.view().last?.outcome).toBe('rolled-back');
  await household.apply.retry();
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.getByText('On trial').waitFor({ state: 'detached' });
  expect(household.apply.view().last?.outcome).toBe('confirmed');
  expect(stage.faults).toEqual([]);
});
