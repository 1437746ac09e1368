/**
 * A service within the process, for tests whose clock stands still: Jupyter's own request code
 * and ours run, only the wire is missing.
 */
import { ServerConnection } from '@jupyterlab/services';

import { SignInApi } from '../src/api.ts';
import type { IAuthorization } from '../src/api.ts';
import { PENDING } from './golden.ts';

type Reply = (request: Request) => Response | Promise<Response>;

/** A long question that waits for its answer. */
interface IOpenQuestion {
  readonly answer: (authorization: IAuthorization) => void;
  readonly signal: AbortSignal;
}

export class FakeService {
  readonly calls: string[] = [];
  readonly open: IOpenQuestion[] = [];
  signIn: IAuthorization = PENDING;
  /** Answers instead of the service. */
  instead: Reply | null = null;

  readonly api = new SignInApi(
    ServerConnection.makeSettings({
      baseUrl: 'http://localhost:8888/base/',
      fetch: input => this._fetch(input as Request)
    })
  );

  /** The last question's `wait_seconds`. */
  get waited(): string {
    return this.calls.at(-1)?.split('=')[1] ?? '';
  }

  private async _fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const wait = url.searchParams.get('wait_seconds');
    const path = url.pathname.replace('/base/oauthconn/api/v1/', '');
    this.calls.push(`${request.method} ${path}${wait ? `=${wait}` : ''}`);
    if (this.instead !== null) {
      return this.instead(request);
    }
    if (request.method === 'DELETE') {
      return new Response(null, { status: 204 });
    }
    // like tornado: dated when the question arrives
    const headers = { Date: new Date().toUTCString() };
    if (wait !== null && wait !== '0' && this.signIn.state === 'pending') {
      await this._news(Number(wait) * 1_000, request.signal);
    }
    return new Response(JSON.stringify(this.signIn), { headers });
  }

  /** Until the sign-in changes or the time is over. */
  private _news(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      signal.addEventListener('abort', () => {
        clearTimeout(timer);
        reject(new TypeError('aborted'));
      });
      this.open.push({
        signal,
        answer: authorization => {
          clearTimeout(timer);
          this.signIn = authorization;
          resolve();
        }
      });
    });
  }
}

/** An answer with a body. */
export function body(value: unknown, status = 200): Response {
  return new Response(JSON.stringify(value), { status });
}
