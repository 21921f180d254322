/**
 * The page in the router's own web interface, run with stand-ins for LuCI's modules.
 *
 * The stand-in for `E()` refuses what LuCI would take for HTML: a lone string as an element's
 * content. Names and sentences on this page come from other devices.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileFunction } from 'node:vm';
import { expect, test, vi } from 'vitest';

const RESOURCES = join(
  import.meta.dirname,
  '../../openwrt/package/files/www/luci-static/resources',
);
const SOURCE = readFileSync(join(RESOURCES, 'view/nymote/overview.js'), 'utf8');

type Element = {
  readonly tag: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly children: readonly unknown[];
  value?: string;
  focus?: () => void;
};

const STATUS = {
  sentence: 'Everything works.',
  apex: 'alice.nymote',
  peers: [{ name: 'laptop', state: 'up', why: 'asked for by <b>phone</b>' }],
  warnings: ['the clock is not set'],
};
const DEVICES = [
  { name: 'router', kind: 'signpost', addresses: ['fd00::1'], self: true },
  { name: '<img src=x onerror=alert(1)>', kind: 'node', addresses: [] },
];
const FINDINGS = [
  { state: 'ok', sentence: 'Port 5300 answers.' },
  { state: 'failed', sentence: 'dnsmasq does not ask us.' },
];

/** Loads the page with a bus that answers `replies`, or fails where there is none. */
function open(replies: Record<string, unknown>, settings: Record<string, string>) {
  const tab = { opener: {}, location: { replace: vi.fn() }, close: vi.fn() };
  const called: unknown[][] = [];
  const ui = {
    createHandlerFn: (context: unknown, call: (...args: unknown[]) => unknown) =>
      call.bind(context),
    addNotification: vi.fn(),
  };
  const window = {
    open: () => tab,
    location: { hostname: '192.168.1.1', reload: vi.fn() },
  };
  const modules = {
    view: { extend: (page: unknown) => page },
    dom: { content: vi.fn() },
    poll: { add: vi.fn() },
    rpc: {
      declare:
        ({ object, method }: { object: string; method: string }) =>
        (...args: unknown[]) => {
          called.push([object, method, ...args]);
          return method in replies
            ? Promise.resolve(replies[method])
            : Promise.reject(new Error('Object not found'));
        },
    },
    uci: {
      load: async () => undefined,
      get: (_file: string, _section: string, option: string) => settings[option],
      set: (_file: string, _section: string, option: string, value: string) => {
        settings[option] = value;
      },
      save: async () => undefined,
      apply: async () => undefined,
    },
    ui,
    E(tag: string, attributes: Record<string, unknown>, children: unknown): Element {
      if (!Array.isArray(children)) throw new Error(`<${tag}> would take its content as HTML`);
      return { tag, attributes, children };
    },
    _: (text: string) => text,
    window,
  };
  // LuCI adds this to every string.
  const source = SOURCE.replaceAll(/\.format\((.*?)\)/g, ".replace('%s', $1)");
  const page = compileFunction(source, Object.keys(modules))(...Object.values(modules)) as {
    load(): Promise<unknown[]>;
    render(state: unknown[]): Element;
  };
  return { page, tab, ui, called, settings, window };
}

function textOf(node: unknown): string {
  if (typeof node !== 'object' || node === null) return String(node);
  return (node as Element).children.map(textOf).join(' ');
}

function find(node: unknown, matches: (element: Element) => boolean): Element | undefined {
  if (typeof node !== 'object' || node === null) return undefined;
  const element = node as Element;
  if (matches(element)) return element;
  return element.children.map((child) => find(child, matches)).find((found) => found !== undefined);
}

async function click(root: Element, label: string): Promise<void> {
  const button = find(root, ({ tag, children }) => tag === 'button' && children.includes(label));
  const handler = button?.attributes['click'] as (() => Promise<void>) | undefined;
  if (handler === undefined) expect.fail(`no button "${label}"`);
  await handler();
}

const RUNNING = { status: STATUS, list: DEVICES, doctor: FINDINGS };

test('shows the state, devices, tunnels and what is wrong', async () => {
  const { page } = open(RUNNING, { user: 'alice' });
  const text = textOf(page.render(await page.load()));
  for (const part of [
    'Everything works.',
    'alice.nymote',
    'the clock is not set',
    'dnsmasq does not ask us.',
    'router (this router)',
    '<img src=x onerror=alert(1)>',
    'asked for by <b>phone</b>',
  ]) {
    expect(text).toContain(part);
  }
  expect(text).not.toContain('Port 5300 answers.');
});

test.each([
  { settings: { user: 'alice' }, says: 'Nymote is not running.' },
  { settings: { user: 'alice', enabled: '0' }, says: 'Nymote is switched off.' },
  { settings: {}, says: 'Say whose devices these are' },
])('says "$says" when the bus has no nymote', async ({ settings, says }) => {
  const { page } = open({}, settings);
  expect(textOf(page.render(await page.load()))).toContain(says);
});

test('opens the admin with a link for the host the browser knows', async () => {
  const link = { url: 'http://192.168.1.1:8053/#code' };
  const { page, tab, called } = open({ ...RUNNING, sign_in_link: link }, { user: 'alice' });
  await click(page.render(await page.load()), 'Open admin');
  expect(called).toContainEqual(['nymote', 'sign_in_link', '192.168.1.1']);
  expect(tab.location.replace).toHaveBeenCalledWith(link.url);
  expect(tab.opener).toBeNull();
});

test.each([
  { reply: { sign_in_link: { url: 'javascript:alert(1)' } }, why: 'a link that is none' },
  { reply: { sign_in_link: {} }, why: 'no link' },
  { reply: {}, why: 'no permission' },
])('closes the tab and says so: $why', async ({ reply }) => {
  const { page, tab, ui } = open({ ...RUNNING, ...reply }, { user: 'alice' });
  await click(page.render(await page.load()), 'Open admin');
  expect(tab.location.replace).not.toHaveBeenCalled();
  expect(tab.close).toHaveBeenCalled();
  expect(textOf(ui.addNotification.mock.calls[0]?.[1])).toContain('No sign-in link');
});

test('asks whose devices these are, and takes only a label', async () => {
  const { page, settings, window } = open({}, {});
  const root = page.render(await page.load());
  const input = find(root, ({ tag }) => tag === 'input');
  if (input === undefined) expect.fail('no input');
  input.focus = vi.fn();
  input.value = 'Alice & Bob';
  await click(root, 'Start');
  expect(settings).toEqual({});
  input.value = ' Alice ';
  await click(root, 'Start');
  expect(settings).toEqual({ user: 'alice', enabled: '1' });
  expect(window.location.reload).toHaveBeenCalled();
});

test('the access list names every method the page calls, reading and writing apart', () => {
  const files = join(RESOURCES, '../../../usr/share/rpcd/acl.d/luci-app-nymote.json');
  const { 'luci-app-nymote': acl } = JSON.parse(readFileSync(files, 'utf8'));
  const methods = [...SOURCE.matchAll(/method: '(\w+)'/g)].map((match) => match[1]);
  expect(acl.read.ubus.nymote).toEqual(['status', 'list', 'log', 'doctor']);
  expect(acl.write.ubus.nymote).toEqual(['sign_in_link', 'device_add', 'device_remove']);
  const known = [...acl.read.ubus.nymote, ...acl.write.ubus.nymote];
  expect(methods).toHaveLength(4);
  for (const method of methods) expect(known).toContain(method);
});
