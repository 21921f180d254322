/**
 * Where settings may come from, and what is said when they are wrong.
 *
 * Order, later wins: built-in defaults, `nymote.json` in the data directory, `NYMOTE_*` variables,
 * flags. Every source goes through the same table (settings.ts), so every wrong key gets the same
 * sentence with the accepted ones.
 */

import { printEndpoint } from './endpoint-text.ts';
import { type Config, DEFAULTS, SETTINGS } from './settings.ts';

export { isAddress, printEndpoint, readEndpoint } from './endpoint-text.ts';
export { type Config, MAX_APEX } from './settings.ts';

export type ConfigProblem = { readonly source: string; readonly message: string };

const KEYS = Object.keys(SETTINGS) as readonly (keyof Config)[];

/** The flag of a setting: `wireguardPort` → `--wireguard-port`. */
export const flagOf = (key: string): string =>
  `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** All flags, for `util.parseArgs`-like readers and for help. */
export const CONFIG_FLAGS = KEYS.map((key) => ({
  key,
  flag: flagOf(key),
  expects: SETTINGS[key].expects,
  help: SETTINGS[key].help,
  ...(printSetting(DEFAULTS[key]) === '' ? {} : { otherwise: printSetting(DEFAULTS[key]) }),
}));

/** As the setting is written on the command line. */
function printSetting(value: Config[keyof Config]): string {
  if (typeof value !== 'object' || !('map' in value)) return String(value);
  const items = value.map((item) => {
    if (typeof item === 'string') return item;
    return 'port' in item ? printEndpoint(item) : '';
  });
  return items.join(',');
}

/** A source of settings: text values by key, and the words to blame it with. */
export type ConfigSource = {
  readonly name: string;
  readonly values: Readonly<Record<string, string>>;
};

/** Merges sources in order over the defaults. All problems are reported, not just the first. */
export function readConfig(
  sources: readonly ConfigSource[],
): { readonly config: Config } | { readonly problems: readonly ConfigProblem[] } {
  const problems: ConfigProblem[] = [];
  const merged: Record<string, unknown> = { ...DEFAULTS };
  for (const { name, values } of sources) {
    for (const [key, text] of Object.entries(values)) {
      const problem = readSetting(merged, key, text);
      if (problem !== undefined) problems.push({ source: name, message: problem });
    }
  }
  if (problems.length > 0) return { problems };
  const config = merged as Config;
  return { config: { ...config, apex: config.apex || `${config.user}.nymote` } };
}

function readSetting(into: Record<string, unknown>, key: string, text: string): string | undefined {
  const setting = Object.hasOwn(SETTINGS, key) ? SETTINGS[key as keyof Config] : undefined;
  if (setting === undefined) return `unknown setting '${key}'; accepted: ${KEYS.join(', ')}`;
  const value = setting.read(text);
  if (value === undefined) return `${key}: '${text}' is not ${setting.expects}`;
  into[key] = value;
  return undefined;
}

/** Reads `nymote.json`: an object of strings, numbers and lists of strings. */
export function readConfigFile(name: string, text: string): ConfigSource | ConfigProblem {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    return { source: name, message: `not JSON: ${(error as Error).message}` };
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    return { source: name, message: 'expected an object of settings' };
  }
  const values = Object.entries(parsed).map(([key, value]) => [
    key,
    Array.isArray(value) ? value.join(',') : String(value),
  ]);
  return { name, values: Object.fromEntries(values) };
}

/** Picks `NYMOTE_WIREGUARD_PORT=…` and its siblings out of an environment. */
export function readEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): ConfigSource {
  const values: Record<string, string> = {};
  for (const key of KEYS) {
    const variable = `NYMOTE_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
    const text = environment[variable];
    if (text !== undefined) values[key] = text;
  }
  return { name: 'the environment', values };
}

/** What was asked for and is not so: the realm that is there keeps its person and its zone. */
export function ignoredSettings(
  { user, apex, data }: Pick<Config, 'user' | 'apex' | 'data'>,
  realm: Pick<Config, 'user' | 'apex'>,
): readonly string[] {
  const isSaid = user !== DEFAULTS.user || apex !== `${DEFAULTS.user}.nymote`;
  if (!isSaid || (user === realm.user && apex === realm.apex)) return [];
  return [
    `The realm in ${data} belongs to ${realm.user} and is ${realm.apex}, not to ${user} and ${apex}; another one begins with another --data.`,
  ];
}
