/**
 * The card: one sign-in, live, in a cell's output.
 */
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';

import { CallError } from './api.ts';
import type { IAuthorization, IProblem, IReading, SignInApi } from './api.ts';
import { CardNodes } from './nodes.ts';
import { cardDataOf, unreadable, viewOf } from './state.ts';
import type { ICardData } from './state.ts';
import { Watch } from './watch.ts';
import type { INews } from './watch.ts';

/** Published by `jupyter_oauthconn/kernel/display.py`. */
export const MIME_TYPE = 'application/vnd.jupyter-oauthconn.authorization+json';

/** What is known of one sign-in besides the notebook's data. */
interface IKnowledge {
  readonly id: string;
  readonly authorization: IAuthorization | null;
  readonly problem: IProblem | null;
  readonly pressedSince: number | null;
  readonly gaveUp: boolean;
}

/** Renders a sign-in. */
export class SignInCard extends Widget implements IRenderMime.IRenderer {
  private readonly _api: SignInApi;
  private readonly _trans: IRenderMime.TranslationBundle;
  private readonly _nodes: CardNodes;
  private readonly _watch: Watch;
  private _data: ICardData | null = null;
  private _trusted = false;
  private _known: IKnowledge = knowledgeOf('');
  /** The service's clock less this browser's, in milliseconds. */
  private _ahead = 0;
  private _busy = false;
  private _ticking: ReturnType<typeof setInterval> | undefined;

  constructor(api: SignInApi, trans: IRenderMime.TranslationBundle) {
    super();
    this._api = api;
    this._trans = trans;
    this._watch = new Watch(api, news => {
      this._hear(news);
    });
    this._nodes = new CardNodes(trans, {
      open: () => {
        this._watch.hurry();
      },
      giveUp: () => void this._act(() => this._giveUp()),
      startAgain: () => void this._act(() => this._startAgain()),
      askAgain: () => {
        this._ask();
      }
    });
    this.node.append(this._nodes.card);
  }

  /** Shows what the notebook holds; called again when a kernel replaces it. */
  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const data = cardDataOf(model.data[MIME_TYPE]);
    this._trusted = model.trusted;
    if (data === null || data.id !== this._data?.id) {
      this._data = data;
      this._known = knowledgeOf(data?.id ?? '');
      this._watch.stop();
      if (this.isAttached) {
        this._ask();
      }
    }
    this._render();
    return Promise.resolve();
  }

  override dispose(): void {
    this._pause();
    super.dispose();
  }

  handleEvent(): void {
    if (!document.hidden) {
      this._watch.hurry();
    }
  }

  protected override onAfterAttach(): void {
    document.addEventListener('visibilitychange', this);
    this._ticking = setInterval(() => {
      this._render();
    }, 1_000);
    const { authorization, problem } = this._known;
    const ended = authorization !== null && authorization.state !== 'pending';
    if (!ended && (problem === null || problem.passing)) {
      this._ask();
    }
  }

  /** A notebook takes cells that are scrolled away out of the page. */
  protected override onBeforeDetach(): void {
    this._nodes.focus.giveBack();
    this._pause();
  }

  private _pause(): void {
    this._watch.stop();
    clearInterval(this._ticking);
    document.removeEventListener('visibilitychange', this);
  }

  private _ask(): void {
    if (this._known.id !== '') {
      this._watch.start(this._known.id);
    }
  }

  private _hear({ reading, problem }: INews): void {
    if (reading !== undefined) {
      this._take(reading);
    }
    if (problem !== undefined) {
      this._know({ problem });
    }
  }

  private _take({ authorization, serviceTime }: IReading): void {
    if (serviceTime !== null) {
      this._ahead = serviceTime - Date.now();
    }
    const pressed = authorization.redirect_uri !== null;
    this._know({
      authorization,
      problem: null,
      pressedSince: pressed ? (this._known.pressedSince ?? Date.now()) : null
    });
  }

  private _know(more: Partial<IKnowledge>): void {
    this._known = { ...this._known, ...more };
    this._render();
  }

  private async _giveUp(): Promise<void> {
    const confirm = this._known.authorization?.confirm ?? false;
    await this._api.giveUp(this._known.id);
    this._know({ gaveUp: !confirm });
    this._ask();
  }

  private async _startAgain(): Promise<void> {
    const reading = await this._api.start(this._data?.connection ?? '');
    this._known = knowledgeOf(reading.authorization.id);
    this._take(reading);
    this._ask();
  }

  /** Runs what a button does; a second press meanwhile does nothing. */
  private async _act(act: () => Promise<void>): Promise<void> {
    if (this._busy) {
      return;
    }
    this._setBusy(true);
    try {
      await act();
    } catch (error) {
      if (!(error instanceof CallError)) {
        throw error;
      }
      if (!this.isDisposed) {
        this._know({ problem: error.problem });
      }
    } finally {
      this._setBusy(false);
    }
  }

  private _setBusy(busy: boolean): void {
    this._busy = busy;
    this._nodes.setBusy(busy);
  }

  private _render(): void {
    if (this.isDisposed) {
      return;
    }
    if (this._data === null) {
      this._nodes.show('', unreadable(this._trans));
      return;
    }
    const view = viewOf(
      {
        ...this._known,
        data: this._data,
        trusted: this._trusted,
        mount: this._api.mount,
        now: Date.now(),
        ahead: this._ahead
      },
      this._trans
    );
    this._nodes.show(this._data.connection, view);
  }
}

function knowledgeOf(id: string): IKnowledge {
  return {
    id,
    authorization: null,
    problem: null,
    pressedSince: null,
    gaveUp: false
  };
}
