/**
 * The token service's routes that the card needs, as the browser session of the page calls them.
 *
 * The bodies are those of `jupyter_oauthconn/wire/shapes.py`; `tests/wire/golden` holds one of
 * each for both sides.
 */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

/** A sign-in as its owner sees it. */
export interface IAuthorization {
  readonly id: string;
  readonly connection: string;
  readonly flow: string;
  readonly state: string;
  readonly path: string;
  readonly public_url: string | null;
  readonly user_code: string | null;
  readonly verification_uri: string | null;
  readonly expires_at: string;
  readonly redirect_uri: string | null;
  readonly identity: string | null;
  readonly confirm: boolean;
  readonly error: ILastError | null;
}

/** Why a sign-in ended without a grant. */
export interface ILastError {
  readonly code: string;
  readonly message: string;
  readonly at: string;
}

/** What went wrong with a call: the service's own words, or which kind of silence it was. */
export interface IProblem {
  /** A code of the service, or one of `NO_ANSWER`, `NO_SERVICE`. */
  readonly code: string;
  readonly message: string;
  /** The next step as a sentence, commands between backticks. */
  readonly hint: string;
  /** Whether the same call may succeed later without anybody acting. */
  readonly passing: boolean;
  readonly retryAfterSeconds: number | null;
}

/** Nothing usable came back: no connection, or a proxy's error page. */
export const NO_ANSWER = 'no_answer';

/** The Jupyter server answered, but has no token service. */
export const NO_SERVICE = 'no_service';

/** A call that failed. */
export class CallError extends Error {
  readonly problem: IProblem;

  constructor(problem: IProblem) {
    super(problem.message);
    this.problem = problem;
  }
}

/** A sign-in, and the service's clock in milliseconds where the answer tells it. */
export interface IReading {
  readonly authorization: IAuthorization;
  readonly serviceTime: number | null;
}

/** Sign-ins over HTTP. Every method throws `CallError`. */
export class SignInApi {
  /** Where the service's routes and pages are, ending in a slash. */
  readonly mount: string;
  private readonly _settings: ServerConnection.ISettings;

  constructor(settings: ServerConnection.ISettings) {
    this._settings = settings;
    this.mount = URLExt.join(settings.baseUrl, 'oauthconn/');
  }

  /** One sign-in; waits at the service for its end, at most `waitSeconds`. */
  async read(
    id: string,
    waitSeconds: number,
    signal: AbortSignal
  ): Promise<IReading> {
    const path = `authorizations/${encodeURIComponent(id)}?wait_seconds=${String(waitSeconds)}`;
    const reading = await readingOf(await this._call(path, { signal }));
    // tornado dates an answer when the question arrives
    return waitSeconds === 0 ? reading : { ...reading, serviceTime: null };
  }

  /** Gives up a pending sign-in; whoever waits for it is told. */
  async giveUp(id: string): Promise<void> {
    const path = `authorizations/${encodeURIComponent(id)}`;
    await this._call(path, { method: 'DELETE' });
  }

  /** Starts a sign-in for a connection, or joins the pending one. */
  async start(connection: string): Promise<IReading> {
    const path = `connections/${encodeURIComponent(connection)}/authorizations`;
    return readingOf(await this._call(path, { method: 'POST', body: '{}' }));
  }

  private async _call(path: string, init: RequestInit): Promise<Response> {
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(
        `${this.mount}api/v1/${path}`,
        init,
        this._settings
      );
    } catch (error) {
      if (error instanceof ServerConnection.NetworkError) {
        throw silence(NO_ANSWER, true);
      }
      throw error;
    }
    if (!response.ok) {
      throw await errorOf(response);
    }
    return response;
  }
}

function silence(code: string, passing: boolean): CallError {
  return new CallError({
    code,
    message: '',
    hint: '',
    passing,
    retryAfterSeconds: null
  });
}

/** A proxy or another application may have answered: only a body of ours is believed. */
async function errorOf(response: Response): Promise<CallError> {
  const { status } = response;
  const passing = status === 429 || status >= 500;
  const body = await jsonOf(response);
  if (
    !isRecord(body) ||
    typeof body.code !== 'string' ||
    typeof body.message !== 'string'
  ) {
    return passing ? silence(NO_ANSWER, true) : silence(NO_SERVICE, false);
  }
  const { code, message, hint, retry_after_seconds: retryAfter } = body;
  return new CallError({
    code,
    message,
    hint: typeof hint === 'string' ? hint : '',
    passing,
    retryAfterSeconds: typeof retryAfter === 'number' ? retryAfter : null
  });
}

async function readingOf(response: Response): Promise<IReading> {
  const body = await jsonOf(response);
  if (!isAuthorization(body)) {
    // a login page, for one, is a success
    throw silence(NO_SERVICE, false);
  }
  const time = Date.parse(response.headers.get('Date') ?? '');
  return {
    authorization: body,
    serviceTime: Number.isNaN(time) ? null : time
  };
}

async function jsonOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (error) {
    if (error instanceof SyntaxError) {
      return null;
    }
    throw silence(NO_ANSWER, true); // the connection broke within the body
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isAuthorization(body: unknown): body is IAuthorization {
  return (
    isRecord(body) &&
    ['id', 'connection', 'flow', 'state', 'path', 'expires_at'].every(
      name => typeof body[name] === 'string'
    ) &&
    [
      'public_url',
      'user_code',
      'verification_uri',
      'redirect_uri',
      'identity'
    ].every(name => body[name] === null || typeof body[name] === 'string') &&
    typeof body.confirm === 'boolean' &&
    (body.error === null ||
      (isRecord(body.error) && typeof body.error.message === 'string'))
  );
}
