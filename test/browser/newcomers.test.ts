/** A new device is let in, or turned away, by whoever compares its digits in the web admin. */

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Assets } from '#web-admin';
import { buildAssets, launchBrowser, setStage } from './stage.ts';

let browser: Browser;
let assets: Assets;

beforeAll(async () => {
  assets = await buildAssets();
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser.close();
});

test('the digits are the same: it is one of the devices', async () => {
  await using stage = await setStage(browser, assets);
  const { page, household } = stage;
  await stage.signIn();
  await page.getByRole('link', { name: 'Devices' }).click();
  household.comes('tablet', '402917');
  await page.getByRole('alert').getByText('tablet wants to join').waitFor();
  await page.getByText('402 917').waitFor();
  await page.getByRole('button', { name: 'Yes, let tablet in' }).click();
  await page.getByRole('status').getByText('tablet is one of your devices now.').waitFor();
  await page.getByRole('alert').waitFor({ state: 'detached' });
  await page.getByText('tablet', { exact: true }).waitFor();
  expect(household.enrolments.waiting().devices).toEqual([]);
  expect(stage.faults).toEqual([]);
});

test('they are not: it is turned away, and was never in', async () => {
  await using stage = await setStage(browser, assets);
  const { page, household } = stage;
  await stage.signIn();
  household.comes('tablet', '402917');
  await page.getByRole('link', { name: 'Devices' }).click();
  await page.getByRole('button', { name: 'No, turn it away' }).click();
  await page.getByRole('status').getByText('tablet was turned away.').waitFor();
  await page.getByRole('alert').waitFor({ state: 'detached' });
  expect((await household.devices()).map(({ name }) => name)).not.toContain('tablet');
  expect(household.enrolments.waiting().devices).toEqual([]);
});

test('it began anew meanwhile: what was seen is not believed of what is there now', async () => {
  await using stage = await setStage(browser, assets);
  const { page, household } = stage;
  await stage.signIn();
  household.comes('tablet', '402917');
  await page.getByRole('link', { name: 'Devices' }).click();
  await page.getByText('402 917').waitFor();
  const seen = household.enrolments.waiting();
  await page.route('**/api/v1/enrolments', (route) => route.fulfill({ json: seen }));
  household.comes('tablet', '111222');
  await page.getByRole('button', { name: 'Yes, let tablet in' }).click();
  await page.getByRole('status').getByText('The new device shows other digits.').waitFor();
  expect((await household.devices()).map(({ name }) => name)).not.toContain('tablet');
});
