/**
 * The card's nodes. They are made once and only changed afterwards: focus and selection stay, and
 * a screen reader hears what is new and nothing else.
 */
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';

import { copyText } from './copy.ts';
import { CardFocus } from './focus.ts';
import type { IView } from './state.ts';

/** What the person can do. */
export interface IActs {
  readonly open: () => void;
  readonly giveUp: () => void;
  readonly startAgain: () => void;
  readonly askAgain: () => void;
}

/** The nodes of one card. */
export class CardNodes {
  readonly card = make('div', 'jp-OAuthConnCard');
  readonly focus = new CardFocus(this.card);
  private readonly _trans: IRenderMime.TranslationBundle;
  private readonly _name = make('p', 'jp-OAuthConnCard-name');
  private readonly _timeLeft = make('p', 'jp-OAuthConnCard-time');
  private readonly _title = make('p', 'jp-OAuthConnCard-title');
  private readonly _text = make('p', 'jp-OAuthConnCard-text');
  private readonly _device: DeviceNodes;
  private readonly _link = make('a', 'jp-OAuthConnCard-action');
  private readonly _startAgain: HTMLButtonElement;
  private readonly _askAgain: HTMLButtonElement;
  private readonly _giveUp: HTMLButtonElement;
  private readonly _actions = make('div', 'jp-OAuthConnCard-actions');
  private readonly _note: NoteNodes;

  constructor(trans: IRenderMime.TranslationBundle, acts: IActs) {
    this._trans = trans;
    this._device = new DeviceNodes(trans);
    this._note = new NoteNodes(trans);
    this._startAgain = button(acts.startAgain);
    this._askAgain = button(acts.askAgain);
    this._giveUp = button(acts.giveUp);
    this._startAgain.classList.add('jp-mod-first');
    this._link.target = '_blank';
    this._link.rel = 'noopener noreferrer';
    this._link.addEventListener('click', acts.open);

    const head = make('div', 'jp-OAuthConnCard-head');
    head.append(this._name, this._timeLeft);
    // read out as a whole when the state changes; the time left is outside, it changes on its own
    const state = make('div', 'jp-OAuthConnCard-state');
    state.setAttribute('role', 'status');
    state.append(this._title, this._text);
    this._actions.append(
      this._link,
      this._startAgain,
      this._askAgain,
      this._giveUp
    );
    this.card.setAttribute('role', 'group');
    // Enter and Space belong to the buttons, not to the notebook's shortcuts
    this.card.dataset.lmSuppressShortcuts = 'true';
    this.card.append(
      head,
      state,
      this._device.node,
      this._actions,
      this._note.node
    );
  }

  /** Shows the state of the sign-in for a connection. */
  show(connection: string, view: IView): void {
    const focused = this.card.contains(document.activeElement)
      ? document.activeElement
      : null;
    this.card.dataset.kind = view.kind;
    this.card.setAttribute(
      'aria-label',
      this._trans.__('Sign-in for %1', connection)
    );
    setText(this._name, connection);
    setText(this._timeLeft, view.timeLeft);
    setText(this._title, view.title);
    setTextWithCode(this._text, view.text);
    this._device.show(view);
    setText(this._link, view.link?.label ?? '');
    if (view.link !== null) {
      setAddress(this._link, view.link.href);
      this._link.classList.toggle('jp-mod-first', view.link.first);
    }
    setText(this._startAgain, view.startAgain);
    setText(this._askAgain, view.askAgain);
    setText(this._giveUp, view.giveUp);
    this._actions.hidden = this._visibleActions().length === 0;
    this._note.show(view.redirectUri);
    if (focused !== null && focused.closest('[hidden]') !== null) {
      this._passFocusOn();
    }
  }

  /** Not `disabled`: that would take the focus away. */
  setBusy(busy: boolean): void {
    for (const one of [this._startAgain, this._giveUp]) {
      one.setAttribute('aria-disabled', String(busy));
    }
  }

  /** From a button that is not there any more. */
  private _passFocusOn(): void {
    const [first] = this._visibleActions();
    if (first !== undefined) {
      first.focus();
    } else if (!this.focus.giveBack()) {
      this._title.tabIndex = -1;
      this._title.focus();
    }
  }

  private _visibleActions(): HTMLElement[] {
    return [this._link, this._startAgain, this._askAgain, this._giveUp].filter(
      one => !one.hidden
    );
  }
}

/** Address and code for another device. */
class DeviceNodes {
  readonly node = make('dl', 'jp-OAuthConnCard-device');
  private readonly _address = make('code', '');
  private readonly _host = make('span', '');
  private readonly _code: CopyNodes;
  private readonly _trans: IRenderMime.TranslationBundle;

  constructor(trans: IRenderMime.TranslationBundle) {
    this._trans = trans;
    this._code = new CopyNodes(trans, trans.__('Copy the code'));
    this._code.value.classList.add('jp-OAuthConnCard-code');
    const address = make('dd', '');
    // text, not a link: the person sees whose page it is before she opens it
    address.append(this._address, ' ', this._host);
    const code = make('dd', '');
    code.append(this._code.node);
    this.node.append(
      term(trans.__('Address')),
      address,
      term(trans.__('Code')),
      code
    );
  }

  show({ device }: IView): void {
    this.node.hidden = device === null;
    if (device !== null) {
      setText(this._address, device.address);
      setText(this._host, this._trans.__('on %1', device.host));
      this._code.show(device.code);
    }
  }
}

/** What to compare when the provider shows an error page and never comes back. */
class NoteNodes {
  readonly node = make('div', 'jp-OAuthConnCard-note');
  private readonly _text = make('p', '');
  private readonly _redirectUri: CopyNodes;
  private readonly _trans: IRenderMime.TranslationBundle;

  constructor(trans: IRenderMime.TranslationBundle) {
    this._trans = trans;
    this._redirectUri = new CopyNodes(trans, trans.__('Copy the redirect URI'));
    this._text.setAttribute('role', 'status');
    this.node.append(this._text, this._redirectUri.node);
  }

  show(redirectUri: string | null): void {
    this._redirectUri.node.hidden = redirectUri === null;
    this.node.classList.toggle('jp-mod-empty', redirectUri === null);
    setText(
      this._text,
      redirectUri === null
        ? ''
        : this._trans.__(
            'If the provider shows an error page instead: compare this redirect URI, character by character, with those that are registered there.'
          )
    );
    if (redirectUri !== null) {
      this._redirectUri.show(redirectUri);
    }
  }
}

/** A text with a button that copies it. */
class CopyNodes {
  readonly node = make('span', 'jp-OAuthConnCard-copy');
  readonly value = make('code', '');

  constructor(trans: IRenderMime.TranslationBundle, label: string) {
    const outcome = make('span', 'jp-OAuthConnCard-copied');
    outcome.setAttribute('role', 'status');
    const copy = button(() => {
      void copyText(this.value, copy).then(copied => {
        outcome.textContent = copied
          ? trans.__('Copied')
          : trans.__('Marked: copy it with the keyboard');
        setTimeout(() => (outcome.textContent = ''), 4_000);
      });
    });
    copy.setAttribute('aria-label', label);
    setText(copy, trans.__('Copy'));
    this.node.append(this.value, copy, outcome);
  }

  show(text: string): void {
    setText(this.value, text);
  }
}

function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  className: string
): HTMLElementTagNameMap[Name] {
  const node = document.createElement(name);
  if (className !== '') {
    node.className = className;
  }
  return node;
}

function button(press: () => void): HTMLButtonElement {
  const node = make('button', 'jp-OAuthConnCard-action');
  node.type = 'button';
  node.addEventListener('click', press);
  return node;
}

function term(text: string): HTMLElement {
  const node = make('dt', '');
  node.textContent = text;
  return node;
}

/** An empty node is not there, but a live region has to be before it speaks. */
function setText(node: HTMLElement, text: string): void {
  if (node.textContent !== text) {
    node.textContent = text;
  }
  if (node.getAttribute('role') !== 'status') {
    node.hidden = text === '';
  }
}

/** The parts between backticks as code. */
function setTextWithCode(node: HTMLElement, text: string): void {
  if (node.dataset.text === text) {
    return;
  }
  node.dataset.text = text;
  node.hidden = text === '';
  node.replaceChildren(
    ...text.split('`').map((part, index) => {
      if (index % 2 === 0) {
        return part;
      }
      const code = make('code', '');
      code.textContent = part;
      return code;
    })
  );
}

function setAddress(link: HTMLAnchorElement, href: string): void {
  if (link.getAttribute('href') !== href) {
    link.href = href;
  }
}
