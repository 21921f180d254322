/**
 * How every screen looks and reads: axe-core (WCAG 2.2 AA and best practices) in both colour
 * schemes, on a phone and on a desk; nothing wider than 360 pixels; nothing jumps; little to load.
 */

import axe from 'axe-core';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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

/** How to get to a screen; each starts signed in, on Home. */
const SCREENS: readonly {
  readonly name: string;
  readonly open: (stage: Stage) => Promise<void>;
}[] = [
  { name: 'home', open: async () => {} },
  {
    name: 'home-check-up',
    async open({ page }) {
      await page.getByRole('button', { name: 'Check everything' }).click();
      await page.getByText('apt install').waitFor();
      await page.getByText('apt install').scrollIntoViewIfNeeded();
    },
  },
  {
    name: 'home-trouble',
    async open({ page, household }) {
      household.trouble = {
        warnings: ['Port 53 belongs to systemd-resolved; nymote answers on 5353.'],
        clock: { isSet: false },
        tunnels: {
          state: 'off',
          reason: 'No permission to make a network interface: run as root or grant CAP_NET_ADMIN.',
          peers: [],
        },
      };
      await page.reload();
      await page.getByText('2 things need a look').waitFor();
    },
  },
  {
    name: 'home-together',
    async open({ page, household }) {
      household.disagree();
      await page.getByRole('heading', { name: 'desktop exists twice' }).waitFor();
      await page.getByText('Two devices changed the same thing').scrollIntoViewIfNeeded();
    },
  },
  {
    name: 'home-late',
    async open({ page, household }) {
      household.disagree();
      await page.getByText('1 change of it').click();
      await page.getByText('Set the rule guests').waitFor();
      await page.getByRole('button', { name: 'Agree', exact: true }).scrollIntoViewIfNeeded();
    },
  },
  {
    name: 'home-decide-late',
    async open({ page, household }) {
      household.disagree();
      await page.getByRole('button', { name: 'Take them over' }).click();
      await page.getByRole('dialog').waitFor();
    },
  },
  {
    name: 'home-merge',
    async open({ page, household }) {
      household.trouble = {
        merge: {
          problems: ['two devices are called tv'],
          fix: 'undo one of them',
          changes: [
            {
              ...{ commit: 'c'.repeat(64), device: 'd', name: 'desktop', date: 0, via: 'cli' },
              message: 'Add tv',
            },
          ],
        },
      };
      await page.reload();
      await page.getByText('An older state is in force').waitFor();
    },
  },
  {
    name: 'names',
    async open({ page }) {
      await page.getByRole('link', { name: 'Names' }).click();
      await page.getByText('www.alice.nymote', { exact: true }).waitFor();
    },
  },
  {
    name: 'names-empty',
    async open({ page, household }) {
      await household.names.remove('www', {}, { via: 'cli', name: 'test' });
      await page.getByRole('link', { name: 'Names' }).click();
      await page.getByText('No names of your own yet').waitFor();
    },
  },
  {
    name: 'add-name',
    async open({ page }) {
      await page.getByRole('link', { name: 'Names' }).click();
      await page.getByRole('button', { name: 'Add name' }).click();
      await page.getByRole('textbox', { name: /^Name/ }).fill('nas');
      await page.getByText('It will be nas.alice.nymote').waitFor();
    },
  },
  {
    name: 'home-no-tunnels',
    async open({ page, household }) {
      household.trouble = {
        tunnels: { state: 'off', reason: 'switched off by the setting tunnels=off', peers: [] },
      };
      await page.reload();
      await page.getByRole('heading', { name: 'Names work, tunnels are off' }).waitFor();
    },
  },
  {
    name: 'home-offline',
    async open({ page }) {
      await page.route('**/api/v1/status', (route) => route.abort());
      await page.reload();
      await page.getByRole('button', { name: 'Try again' }).waitFor();
    },
  },
  {
    name: 'on-trial',
    async open({ page, household }) {
      await household.apply.retry();
      await page.getByText('On trial: network.lan.ipaddr').waitFor();
    },
  },
  {
    name: 'devices',
    async open({ page }) {
      await page.getByRole('link', { name: 'Devices' }).click();
      await page.getByText('router', { exact: true }).click();
      await page.getByText('192.168.1.1:51820').waitFor();
    },
  },
  {
    name: 'add-device',
    async open(stage) {
      await openAdd(stage);
    },
  },
  {
    name: 'add-device-qr',
    async open(stage) {
      await openAdd(stage);
      await stage.page.getByRole('button', { name: 'Add', exact: true }).click();
      await stage.page.locator('.qr path').waitFor();
    },
  },
  {
    name: 'add-device-command',
    async open(stage) {
      await openAdd(stage);
      await stage.page.getByText('Computer or router').click();
      await stage.page.getByRole('button', { name: 'Add', exact: true }).click();
      await stage.page.getByText('npx nymote join').waitFor();
    },
  },
  {
    name: 'devices-newcomer',
    async open({ page, household }) {
      household.comes('tablet', '402917');
      await page.getByRole('link', { name: 'Devices' }).click();
      await page.getByText('402 917').waitFor();
    },
  },
  {
    name: 'remove-device',
    async open({ page }) {
      await page.getByRole('link', { name: 'Devices' }).click();
      await page.getByText('phone', { exact: true }).click();
      await page.getByRole('button', { name: 'Remove phone' }).click();
      await page.getByRole('dialog', { name: 'Remove phone?' }).waitFor();
    },
  },
  {
    name: 'questions',
    async open({ page, household }) {
      askAll(household);
      await page.getByRole('link', { name: 'Questions' }).click();
      await page.getByText('desktop.alice.nymote', { exact: true }).waitFor();
    },
  },
  {
    name: 'questions-empty',
    async open({ page }) {
      await page.getByRole('link', { name: 'Questions' }).click();
      await page.getByText('Nobody has asked yet').waitFor();
    },
  },
  {
    name: 'why',
    async open({ page, household }) {
      askAll(household);
      await page.getByRole('link', { name: 'Questions' }).click();
      await page.getByRole('button', { name: 'Why? desktop.alice.nymote' }).click();
      await page.getByText('one of alice’s own devices').waitFor();
    },
  },
  {
    name: 'history',
    async open({ page }) {
      await page.getByRole('link', { name: 'History' }).click();
      await page.getByText('add router').click();
      await page.getByText('name: router').waitFor();
    },
  },
  {
    name: 'history-filter',
    async open({ page }) {
      await page.getByRole('link', { name: 'History' }).click();
      await page.getByRole('searchbox').fill('nothing has this');
      await page.getByText('No change fits').waitFor();
    },
  },
  {
    name: 'signed-out',
    async open({ page }) {
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByText('Sign in with a link').waitFor();
    },
  },
  {
    name: 'signed-out-used-link',
    async open({ page, origin }) {
      await page.goto(`${origin}/sign-in#used`);
      await page.getByText('This link was used already').waitFor();
    },
  },
];

async function openAdd({ page }: Stage): Promise<void> {
  await page.getByRole('link', { name: 'Devices' }).click();
  await page.getByRole('button', { name: 'Add device' }).click();
  await page.getByLabel('Name').fill('tablet');
}

function askAll(household: Stage['household']): void {
  const asker = { address: '192.168.1.20', device: 'phone' };
  const udp = {
    asker,
    transport: 'udp',
    type: 'AAAA',
    rcode: 'NOERROR',
    milliseconds: 0.3,
  } as const;
  household.ask({ ...udp, name: 'www.example.org.', from: 'recursion', milliseconds: 41.7 });
  household.ask({ ...udp, name: 'www.example.org.', from: 'cache', type: 'A' });
  household.ask({
    ...udp,
    asker: { address: '2001:db8:7::93' },
    name: 'laptop.alice.nymote.',
    from: 'policy',
    rcode: 'REFUSED',
    ede: { code: 18, text: 'strangers may not ask for this zone' },
  });
  household.ask({
    ...udp,
    name: 'a-rather-long-label-as-cdns-like-them.edge.example.net.',
    from: 'cache',
  });
  household.ask({
    ...udp,
    name: 'missing.example.',
    from: 'recursion',
    rcode: 'NXDOMAIN',
    milliseconds: 12,
  });
  household.ask({ ...udp, name: 'desktop.alice.nymote.', from: 'zone' });
}

const VIEWS = [
  { view: 'phone', viewport: { width: 390, height: 844 }, isMobile: true },
  { view: 'desk', viewport: { width: 1280, height: 800 }, isMobile: false },
] as const;

describe.each(VIEWS)('on a $view', ({ view, viewport, isMobile }) => {
  describe.each(['light', 'dark'] as const)('in %s', (colorScheme) => {
    test.each(SCREENS)('$name has no accessibility violation', async ({ name, open }) => {
      await using stage = await setStage(browser, assets, {
        viewport,
        isMobile,
        hasTouch: isMobile,
        colorScheme,
      });
      await stage.signIn();
      await open(stage);
      await stage.shoot(`${name}-${view}-${colorScheme}`);
      expect(await violations(stage)).toEqual([]);
      expect(stage.faults).toEqual([]);
    });
  });
});

async function violations({ page }: Stage): Promise<unknown> {
  await page.evaluate(axe.source);
  return page.evaluate(`axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  }).then(({ violations }) => violations.map(({ id, help, nodes }) => ({
    id, help, nodes: nodes.map(({ html, failureSummary }) => html + failureSummary),
  })))`);
}

test.each(SCREENS)('$name fits 360 pixels, and its targets fit a thumb', async ({ open }) => {
  await using stage = await setStage(browser, assets, { viewport: { width: 360, height: 740 } });
  await stage.signIn();
  await open(stage);
  const { page } = stage;
  // Boxes, because a dialog that is cut off makes no page wider.
  const overhang = `Math.max(...[document.documentElement, ...document.querySelectorAll('main *, dialog, dialog *')]
    .filter((each) => each.checkVisibility() && !each.closest('.hidden'))
    .map((each) => each.getBoundingClientRect().right - document.documentElement.clientWidth))`;
  expect(await page.evaluate(overhang)).toBeLessThanOrEqual(0);
  const small =
    await page.evaluate(`[...document.querySelectorAll('button, summary, nav a, select, input:not([type=radio])')]
    .filter((each) => each.checkVisibility() && !each.matches('.skip'))
    .map((each) => [each.textContent || each.type, each.getBoundingClientRect()])
    .filter(([, { width, height }]) => width < 44 || height < 44)
    .map(([text, { width, height }]) => text + ' ' + width + '×' + height)`);
  expect(small).toEqual([]);
});

test('nothing jumps while a screen loads', async () => {
  await using stage = await setStage(browser, assets);
  const { page } = stage;
  await page.addInitScript(`
    globalThis.shift = 0;
    new PerformanceObserver((list) => {
      // All of them: going somewhere counts as an input, which would excuse what follows it.
      for (const entry of list.getEntries()) shift += entry.value;
    }).observe({ type: 'layout-shift', buffered: true });
  `);
  // Each place is seen empty before it is filled, however quick the machine is.
  await page.route('**/api/v1/**', async (route) => {
    await paint(page);
    await route.continue();
  });
  await stage.signIn();
  for (const [screen, word] of [
    ['devices', 'phone'],
    ['names', 'www.alice.nymote'],
    ['questions', 'Nobody has asked yet'],
    ['history', 'add phone'],
    ['', 'All is well'],
  ]) {
    await page.goto(`${stage.origin}/#/${screen}`);
    await page.getByText(word ?? '', { exact: true }).waitFor();
    await paint(page);
  }
  expect(await page.evaluate('shift')).toBeLessThan(0.02);
  // That it would have been seen.
  await page.evaluate(`document.body.prepend(Object.assign(document.createElement('div'), {
    style: 'height: 200px',
  }))`);
  await expect.poll(() => page.evaluate('shift'), PATIENCE).toBeGreaterThan(0.02);
});

/** Until what is there was painted. */
async function paint(page: Stage['page']): Promise<void> {
  await page.evaluate(
    'new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))',
  );
}

test('the first load is under 30 KB and everything under 60 KB, packed', () => {
  const sizes = [...assets].map(([path, { gzip }]) => ({ path, bytes: gzip?.length ?? 0 }));
  const main = [...assets].find(([path]) => path.startsWith('/assets/main-'))?.[1];
  const code = new TextDecoder().decode(main?.body);
  const later = new Set([...code.matchAll(/import\("\.(\/[^"]+)"\)/g)].map(([, path]) => path));
  expect(later.size).toBe(1);
  const sum = (list: typeof sizes) => list.reduce((total, { bytes }) => total + bytes, 0);
  expect(sum(sizes.filter(({ path }) => !later.has(path.replace('/assets', ''))))).toBeLessThan(
    30_000,
  );
  expect(sum(sizes)).toBeLessThan(60_000);
});
