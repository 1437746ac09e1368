/**
 * Who has the keyboard: the notebook, and the card only while somebody moves through it by
 * keyboard. A card comes and goes on its own, and the focus must not go with it.
 */
const NOTEBOOK = '.jp-Notebook';
const CELL = '.jp-Cell';

/** The focus of one card. */
export class CardFocus {
  private readonly _card: HTMLElement;
  /** The cell that had the focus before the card. */
  private _before: HTMLElement | null = null;

  constructor(card: HTMLElement) {
    this._card = card;
    card.addEventListener('mousedown', event => {
      this._leaveWhereItIs(event);
    });
    card.addEventListener('focusin', event => {
      this._remember(event.relatedTarget);
    });
  }

  /**
   * Gives the focus back to the notebook, where the card has it.
   *
   * @returns whether somebody has it now: outside a notebook there is no one to take it.
   */
  giveBack(): boolean {
    if (!this._card.contains(document.activeElement)) {
      return true;
    }
    const notebook = this._card.closest(NOTEBOOK);
    const cell =
      this._before !== null && notebook?.contains(this._before)
        ? this._before
        : this._card.closest<HTMLElement>(CELL);
    return notebook !== null && take(cell);
  }

  /** A press would move focus and selected cell to this card's cell, which has been run. */
  private _leaveWhereItIs(event: MouseEvent): void {
    if ((event.target as Element).closest('a, button') === null) {
      return; // text is selected with the mouse
    }
    event.preventDefault();
    event.stopPropagation();
    const notebook = this._card.closest(NOTEBOOK);
    if (notebook?.contains(document.activeElement) === false) {
      // it was elsewhere: a press in a notebook makes it the one that is worked in
      take(notebook.querySelector<HTMLElement>(`${CELL}.jp-mod-active`));
    }
  }

  private _remember(from: EventTarget | null): void {
    if (from instanceof Element && !this._card.contains(from)) {
      this._before = from.closest<HTMLElement>(CELL);
    }
  }
}

/** A cell, not the notebook around it: that would pass the focus on to its footer. */
function take(cell: HTMLElement | null): boolean {
  cell?.focus({ preventScroll: true });
  return cell !== null && cell === document.activeElement;
}
