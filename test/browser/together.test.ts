/** What people do in the web admin when devices come, when several write, and with names of their own. */

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

test('a conflict appears by itself and is decided with one tap', async () => {
  await using stage = await setStage(browser, assets);
  const { page, household } = stage;
  await stage.signIn();
  expect(await page.getByText('Two devices changed').count()).toBe(0);
  household.disagree();
  await page.getByRole('heading', { name: '3 things need a look' }).waitFor();
  await page.getByText('The rule printer: whether it allows or denies').waitFor();
  await page.getByText('desktop, command line, 2 hours ago').waitFor();
  await page.getByText('In force now: what refuses counts until you decide.').waitFor();
  await page.getByRole('button', { name: 'Keep allow' }).click();
  await page.getByRole('status').getByText('Decided: allow').waitFor();
  await page.getByText('Two devices changed').waitFor({ state: 'detached' });
  expect((await household.together.conflicts()).conflicts).toEqual([]);
  await page.getByRole('heading', { name: '2 things need a look' }).waitFor();
  expect(stage.faults).toEqual([]);
});

test('what happens before the page listens is shown as well', async () => {
  await using stage = await setStage(browser, assets);
  const { page, household } = stage;
  const happened = Promise.withResolvers<void>();
  await page.route('**/api/v1/events', async (route) => {
    await happened.promise;
    await route.continue();
  });
  await stage.signIn();
  household.disagree();
  happened.resolve();
  await page.getByRole('heading', { name: '3 things need a look' }).waitFor();
});

test('a device that exists twice has its evidence and two ways out', async () => {
  await using stage = await setStage(browser, assets);
  const { page, household } = stage;
  await stage.signIn();
  household.disagree();
  await page.getByText('it was copied, or restored from an old backup').waitFor();
  await page.getByText('1 change of it').click();
  await page.getByText('Set the rule guests: when it counts').waitFor();
  await page.getByRole('button', { name: 'Let them go' }).click();
  await page.getByText('desktop is removed; it joins again').waitFor();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Take them over' }).click();
  await page.getByRole('button', { name: 'Take over', exact: true }).click();
  await page.getByRole('status').getByText('Decided about desktop.').waitFor();
  await page.getByText('desktop exists twice').waitFor({ state: 'detached' });
  expect((await household.together.late()).late).toEqual([]);
});

test('another owner’s proposal is agreed to', async () => {
  await using stage = await setStage(browser, assets);
  const { page, household } = stage;
  await stage.signIn();
  household.disagree();
  await page.getByRole('heading', { name: 'desktop asks you to agree' }).waitFor();
  await page.getByText('Remove the rule guests').waitFor();
  await page.getByRole('button', { name: 'Agree', exact: true }).click();
  await page.getByRole('status').getByText('It holds now.').waitFor();
  expect(household.together.proposals().proposals).toEqual([]);
});

test('what does not fit together is said, and a change of it undone', async () => {
  await using stage = await setStage(browser, assets);
  const { page, household } = stage;
  const [last] = await household.log({ limit: 1 });
  const { id = '', message = '' } = last ?? {};
  const change = { commit: id, device: 'x', name: 'desktop', date: 0, via: 'cli', message };
  const problems = ['two devices are called phone'];
  household.trouble = { merge: { problems, fix: 'undo one', changes: [change] } };
  await stage.signIn();
  await page.getByRole('heading', { name: 'One thing needs a look' }).waitFor();
  await page.getByText('Two devices are called phone.').waitFor();
  household.trouble = {};
  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByRole('status').getByText('Undone: add phone').waitFor();
  await page.getByRole('heading', { name: 'All is well' }).waitFor();
});

test('a name is added, a wrong one is said so, and one is removed after a question', async () => {
  await using stage = await setStage(browser, assets);
  const { page, household } = stage;
  await stage.signIn();
  await page.getByRole('link', { name: 'Names' }).click();
  await page.getByRole('button', { name: 'Add name' }).click();
  await page.getByRole('textbox', { name: /^Name/ }).fill('nas');
  await page.getByLabel('Value').fill('nonsense');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByRole('alert').getByText('no IPv4 address').waitFor();
  await page.getByLabel('Value').fill('192.0.2.9');
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  await page.getByText('nas.alice.nymote', { exact: true }).waitFor();
  await page.getByRole('button', { name: /^Remove CNAME/ }).click();
  await page.getByText('may still know it for 1 h').waitFor();
  await page.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByText('www.alice.nymote', { exact: true }).waitFor({ state: 'detached' });
  expect(household.names.list().names.map(({ owner }) => owner)).toEqual(['nas']);
  expect(stage.faults).toEqual([]);
});

test('the history is filtered by words and by device, and says who and what', async () => {
  await using stage = await setStage(browser, assets);
  const { page } = stage;
  await stage.signIn();
  await page.getByRole('link', { name: 'History' }).click();
  await page.getByText('add phone', { exact: true }).waitFor();
  await page.getByRole('searchbox').fill('ROUTER');
  await page.getByText('add phone', { exact: true }).waitFor({ state: 'detached' });
  await page.getByText('alice on laptop, command line').waitFor();
  await page.getByText('add router', { exact: true }).click();
  await page.getByText('added devices', { exact: true }).waitFor();
  await page.getByLabel('Whose changes').selectOption('router');
  await page.getByText('No change fits').waitFor();
  await page.getByRole('searchbox').fill('');
  await page.getByLabel('Whose changes').selectOption('laptop');
  await page.getByText('add phone', { exact: true }).waitFor();
});

test('a newcomer shows the same digits: it is one of the devices', async () => {
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

test('a newcomer shows others: it is turned away, and was never in', async () => {
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

test('a newcomer began anew meanwhile: what was seen is not believed of what is there now', async () => {
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
