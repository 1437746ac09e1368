/**
 * Follows one sign-in until it ends, in long questions that cost a server next to nothing.
 */
import { CallError } from './api.ts';
import type { IProblem, IReading, SignInApi } from './api.ts';

/** What the card is told. */
export interface INews {
  readonly reading?: IReading;
  readonly problem?: IProblem;
}

const LONG_SECONDS = 20;

/** From one question to the next, at least: an answer may come at once. */
const ROUND_MS = 2_000;

/** While nobody looks at the page. */
const HIDDEN_ROUND_MS = 60_000;

const LONGEST_ROUND_MS = 30_000;

/**
 * A browser keeps six connections to a server over HTTP/1.1, and the notebook needs them: more
 * cards than this ask briefly.
 */
const LONG_QUESTIONS = 2;

let longQuestions = 0;

/** One sign-in being followed. */
export class Watch {
  private readonly _api: SignInApi;
  private readonly _tell: (news: INews) => void;
  private _running: AbortController | null = null;
  private _id = '';
  private _eager = false;

  constructor(api: SignInApi, tell: (news: INews) => void) {
    this._api = api;
    this._tell = tell;
  }

  /** Follows this sign-in, and no other one any more. */
  start(id: string): void {
    this.stop();
    const running = new AbortController();
    this._id = id;
    this._running = running;
    void this._run(id, running.signal).finally(() => {
      if (this._running === running) {
        this._running = null;
      }
    });
  }

  /** Tells nothing more. */
  stop(): void {
    this._running?.abort();
    this._running = null;
    this._eager = false;
  }

  /** Asks now, and briefly until `redirect_uri` tells that the person is on her way. */
  hurry(): void {
    if (this._running !== null) {
      this.start(this._id);
      this._eager = true;
    }
  }

  private async _run(id: string, signal: AbortSignal): Promise<void> {
    const stopped = (): boolean => signal.aborted;
    let failures = 0;
    let waitSeconds = 0;
    while (!stopped()) {
      const asked = Date.now();
      const news = await this._question(id, waitSeconds, signal);
      if (stopped()) {
        return;
      }
      this._tell(news);
      if (isLast(news)) {
        return;
      }
      failures = news.problem === undefined ? 0 : failures + 1;
      this._eager &&= news.reading?.authorization.redirect_uri == null;
      await sleep(asked + roundAfter(news, failures) - Date.now(), signal);
      waitSeconds =
        this._eager || longQuestions >= LONG_QUESTIONS ? 0 : LONG_SECONDS;
    }
  }

  private async _question(
    id: string,
    waitSeconds: number,
    signal: AbortSignal
  ): Promise<INews> {
    const long = waitSeconds > 0 ? 1 : 0;
    longQuestions += long;
    try {
      return { reading: await this._api.read(id, waitSeconds, signal) };
    } catch (error) {
      if (error instanceof CallError) {
        return { problem: error.problem };
      }
      throw error;
    } finally {
      longQuestions -= long;
    }
  }
}

/** Whether nothing will come after it unless somebody acts. */
function isLast({ reading, problem }: INews): boolean {
  return problem !== undefined
    ? !problem.passing
    : reading?.authorization.state !== 'pending';
}

/** Milliseconds from one question to the next. */
function roundAfter({ problem }: INews, failures: number): number {
  if (document.hidden) {
    return HIDDEN_ROUND_MS;
  }
  if (problem === undefined) {
    return ROUND_MS;
  }
  const doubled = Math.min(LONGEST_ROUND_MS, ROUND_MS * 2 ** (failures - 1));
  // many cards must not come back in the same moment when a server starts again
  const spread = doubled * (0.75 + Math.random() / 2);
  return Math.max((problem.retryAfterSeconds ?? 0) * 1_000, spread);
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, Math.max(0, ms));
    signal.addEventListener('abort', end);
  });
}
