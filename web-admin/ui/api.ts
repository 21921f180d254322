/** Requests to `/api/v1`. Every refusal is an ApiProblem with a closed code and a sentence. */

import type { ProblemCode } from '../problem.ts';

/** A refusal by the server, or `offline` when it cannot be reached. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';
  readonly code: ProblemCode | 'offline';

  constructor(code: ProblemCode | 'offline', message: string) {
    super(message);
    this.code = code;
  }
}

export type Reply<T> = { readonly value: T; readonly etag: string | undefined };

type Call = {
  readonly body?: unknown;
  readonly ifMatch?: string | undefined;
  /** A refresh that nobody asked for: it does not keep the session alive. */
  readonly isBackground?: boolean;
};

/** Sends a request; throws ApiProblem unless it worked. */
export async function call<T>(method: string, path: string, options: Call = {}): Promise<Reply<T>> {
  const headers = new Headers();
  if (options.body !== undefined) headers.set('content-type', 'application/json');
  if (options.ifMatch !== undefined) headers.set('if-match', options.ifMatch);
  if (options.isBackground === true) headers.set('nymote-background', '1');
  const { response, text } = await send(method, path, headers, options.body);
  const etag = response.headers.get('etag') ?? undefined;
  if (!response.ok) throw problemOf(text);
  return { value: (text === '' ? undefined : JSON.parse(text)) as T, etag };
}

/** What to tell people about anything that was thrown. */
export function sentenceOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : 'Something went wrong.';
}

async function send(
  method: string,
  path: string,
  headers: Headers,
  body: unknown,
): Promise<{ readonly response: Response; readonly text: string }> {
  const init = body === undefined ? {} : { body: JSON.stringify(body) };
  try {
    const response = await fetch(`/api/v1${path}`, { method, headers, ...init });
    // The connection may break in the middle as well.
    return { response, text: await response.text() };
  } catch {
    throw new ApiProblem(
      'offline',
      'nymote does not answer. Is this device still connected to it?',
    );
  }
}

function problemOf(text: string): ApiProblem {
  try {
    const { code, detail, title } = JSON.parse(text) as {
      code: ProblemCode;
      detail?: string;
      title: string;
    };
    return new ApiProblem(code, detail ?? `${title}.`);
  } catch {
    // Not ours: a proxy in between, or a server that is going down.
    return new ApiProblem('unavailable', 'nymote gave an answer that makes no sense.');
  }
}
