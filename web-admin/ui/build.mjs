/**
 * Builds the browser's files with esbuild into `built/assets.json`, which `parseAssets` reads and the
 * executable for routers contains: index.html and the assets, with a hash in each name, also packed.
 */

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build as bundle } from 'esbuild';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const TYPES = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

/** Builds everything; returns `{ path, bytes }` per file, bytes after gzip. */
async function build() {
  const result = await bundle({
    entryPoints: {
      main: fileURLToPath(new URL('./main.tsx', import.meta.url)),
      style: here('./style.css'),
    },
    outdir: here('./built/assets'),
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    minify: true,
    target: ['chrome109', 'firefox115', 'safari16.4'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    write: false,
  });
  const files = new Map(
    result.outputFiles.map(({ path, text }) => [`/assets/${basename(path)}`, text]),
  );
  const nameOf = (start) => [...files.keys()].find((path) => path.startsWith(`/assets/${start}-`));
  const page = await readFile(here('./index.html'), 'utf8');
  files.set('/assets/icon.svg', await readFile(here('./icon.svg'), 'utf8'));
  files.set(
    '/index.html',
    page.replace('{{style}}', nameOf('style')).replace('{{main}}', nameOf('main')),
  );
  return write(files);
}

async function write(files) {
  const assets = [];
  const sizes = [];
  for (const [path, text] of files) {
    const gzip = gzipSync(text, { level: 9 });
    const extension = path.split('.').at(-1);
    assets.push({ path, type: TYPES[extension], text, gzip: gzip.toString('base64') });
    sizes.push({ path, bytes: gzip.length });
  }
  await mkdir(here('./built'), { recursive: true });
  // In one piece: whoever starts meanwhile finds the whole page, the old one or the new.
  const own = here(`./built/assets.json.${process.pid}`);
  await writeFile(own, JSON.stringify(assets));
  await rename(own, here('./built/assets.json'));
  return sizes;
}

for (const { path, bytes } of await build()) console.log(String(bytes).padStart(7), path);
