/**
 * The browser's files, made by `ui/build.mjs` and held in memory: they are small, and a single-file
 * build has no directory to read them from.
 */

export type Asset = {
  readonly type: string;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly gzip?: Uint8Array<ArrayBuffer>;
};

/** By path: '/index.html', '/assets/main-2Q7KX.js'. */
export type Assets = ReadonlyMap<string, Asset>;

/**
 * Reads `ui/built/assets.json`: `[{ path, type, text, gzip }]`, gzip in base64.
 * The file is our own build's; one that does not fit is a bug and throws.
 */
export function parseAssets(json: string): Assets {
  const encoder = new TextEncoder();
  const entries = JSON.parse(json) as readonly {
    readonly path: string;
    readonly type: string;
    readonly text: string;
    readonly gzip: string;
  }[];
  return new Map(
    entries.map(({ path, type, text, gzip }) => [
      path,
      { type, body: encoder.encode(text), gzip: Uint8Array.from(atob(gzip), byteOf) },
    ]),
  );
}

/** Answers a GET for one of the browser's files; undefined when there is none of that name. */
export function serveAsset(
  assets: Assets,
  path: string,
  acceptEncoding: string,
): Response | undefined {
  // One page for both: the sign-in code stands behind the '#', which a browser keeps to itself.
  const asset = assets.get(path === '/' || path === '/sign-in' ? '/index.html' : path);
  if (asset === undefined) return undefined;
  const zipped = /\bgzip\b/.test(acceptEncoding) ? asset.gzip : undefined;
  return new Response(zipped ?? asset.body, {
    headers: {
      'content-type': asset.type,
      // Names under /assets/ carry a hash of their content.
      'cache-control': path.startsWith('/assets/')
        ? 'public, max-age=31536000, immutable'
        : 'no-cache',
      vary: 'Accept-Encoding',
      ...(zipped === undefined ? {} : { 'content-encoding': 'gzip' }),
    },
  });
}

function byteOf(char: string): number {
  return char.charCodeAt(0);
}
