import { trans, window } from './page.ts';

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';

import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';

import type { IAuthorization } from '../src/api.ts';
import { MIME_TYPE, SignInCard } from '../src/card.ts';
import { AUTHORIZATION, NOON, PENDING, UNAVAILABLE } from './golden.ts';
import { FakeService, body } from './service.ts';

const DATA = { ...PENDING };
const PRESSED: IAuthorization = {
  ...PENDING,
  redirect_uri: AUTHORIZATION.redirect_uri
};
const DONE: IAuthorization = { ...PENDING, state: 'done' };
const UNKNOWN = {
  code: 'unknown_authorization',
  message: 'Unknown.',
  hint: ''
};

let service: FakeService;
let cards: SignInCard[] = [];

beforeEach(() => {
  mock.timers.enable({
    apis: ['setTimeout', 'setInterval', 'Date'],
    now: NOON
  });
  service = new FakeService();
  hide(false);
});

afterEach(() => {
  for (const card of cards) {
    card.dispose();
  }
  cards = [];
  document.body.replaceChildren();
  mock.timers.reset();
});

function hide(hidden: boolean): void {
  Object.defineProperty(document, 'hidden', {
    value: hidden,
    configurable: true
  });
}

/** Lets everything run that waits for no timer. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) {
    await new Promise(resolve => setImmediate(resolve));
  }
}

async function pass(ms: number): Promise<void> {
  // in steps, so that what one timer starts can finish before the next one
  for (let left = ms; left > 0; left -= 1_000) {
    mock.timers.tick(Math.min(left, 1_000));
    await settle();
  }
}

function model(data: unknown, trusted = true): IRenderMime.IMimeModel {
  return {
    data: { [MIME_TYPE]: data },
    metadata: {},
    trusted
  } as unknown as IRenderMime.IMimeModel;
}

async function shown(
  data: unknown = DATA,
  host = document.body
): Promise<SignInCard> {
  const card = new SignInCard(service.api, trans);
  cards.push(card);
  await card.renderModel(model(data));
  Widget.attach(card, host);
  await settle();
  return card;
}

function find(card: SignInCard, name: string): HTMLElement {
  const node = [...card.node.querySelectorAll('a, button')].find(
    one =>
      (one.getAttribute('aria-label') ?? one.textContent) === name &&
      one.closest('[hidden]') === null
  );
  assert.ok(node, `${name} in ${card.node.outerHTML}`);
  return node as HTMLElement;
}

/** A notebook's mouse presses that got as far as the notebook. */
let heard = 0;

/** A card in the first of two cells. */
async function inNotebook(): Promise<{
  card: SignInCard;
  own: HTMLElement;
  next: HTMLElement;
}> {
  const notebook = document.createElement('div');
  notebook.className = 'jp-Notebook';
  heard = 0;
  notebook.addEventListener('mousedown', () => heard++);
  const cell = (): HTMLElement => {
    const node = document.createElement('div');
    node.className = 'jp-Cell';
    node.tabIndex = -1;
    return node;
  };
  const [own, next] = [cell(), cell()];
  notebook.append(own, next);
  document.body.append(notebook);
  return { card: await shown(DATA, own), own, next };
}

function mouseDown(node: Element): Event {
  const event = new window.MouseEvent('mousedown', {
    bubbles: true,
    cancelable: true
  });
  node.dispatchEvent(event);
  return event;
}

async function press(card: SignInCard, name: string): Promise<void> {
  const node = find(card, name);
  node.focus();
  node.click();
  await settle();
}

function titleOf(card: SignInCard): string {
  return card.node.querySelector('.jp-OAuthConnCard-title')?.textContent ?? '';
}

const question = `GET authorizations/${PENDING.id}`;

test('asks briefly first, then in long questions until the end', async () => {
  const card = await shown();
  assert.deepEqual(service.calls, [`${question}=0`]);
  assert.equal(titleOf(card), 'Waiting for you');
  await pass(2_000);
  assert.deepEqual(service.calls, [`${question}=0`, `${question}=20`]);
  service.open[0]?.answer(DONE);
  await pass(120_000);
  assert.equal(titleOf(card), 'Authenticated');
  assert.equal(service.calls.length, 2);
});

test('the link opens our page in a new tab and nothing else', async () => {
  const link = find(await shown(), 'Authenticate');
  assert.equal(
    link.getAttribute('href'),
    'http://localhost:8888/base/oauthconn/connect/sales'
  );
  assert.equal(link.getAttribute('target'), '_blank');
  assert.equal(link.getAttribute('rel'), 'noopener noreferrer');
  // where a notebook is in command mode, Enter would edit the cell instead
  assert.ok(link.closest('[data-lm-suppress-shortcuts]'));
});

test('a disposed card asks nothing more', async () => {
  const card = await shown();
  await pass(2_000);
  card.dispose();
  await settle();
  assert.equal(service.open[0]?.signal.aborted, true);
  await pass(120_000);
  assert.equal(service.calls.length, 2);
});

test('a card that is scrolled away asks again when it is back', async () => {
  const card = await shown();
  Widget.detach(card);
  const before = card.node.innerHTML;
  await pass(120_000);
  assert.equal(service.calls.length, 1);
  assert.equal(card.node.innerHTML, before);
  service.signIn = DONE;
  Widget.attach(card, document.body);
  await settle();
  assert.equal(titleOf(card), 'Authenticated');
  Widget.detach(card);
  Widget.attach(card, document.body);
  await settle();
  assert.equal(service.calls.length, 2);
});

test('a page that nobody sees asks once a minute, and at once when seen', async () => {
  hide(true);
  await shown();
  await pass(59_000);
  assert.equal(service.calls.length, 1);
  service.signIn = PRESSED;
  hide(false);
  document.dispatchEvent(new window.Event('visibilitychange'));
  await settle();
  assert.equal(service.calls.length, 2);
  assert.equal(titleOf(cards[0] as SignInCard), 'Continue in the other tab');
});

test('many cards leave the notebook its connections', async () => {
  for (let count = 0; count < 5; count++) {
    await shown();
  }
  await pass(3_000);
  assert.equal(service.open.length, 2);
  const [first] = cards;
  first?.dispose();
  await pass(3_000);
  assert.equal(service.open.filter(one => !one.signal.aborted).length, 2);
});

test('after the link the press is seen soon', async () => {
  const card = await shown();
  await pass(2_000);
  await press(card, 'Authenticate');
  service.signIn = PRESSED;
  await pass(2_000);
  assert.equal(titleOf(card), 'Continue in the other tab');
  await pass(2_000);
  assert.equal(service.waited, '20');
});

test('an answer that comes at once does not make a storm', async () => {
  service.instead = () => body({ ...PRESSED, confirm: true });
  await shown();
  await pass(20_000);
  assert.ok(service.calls.length <= 11, String(service.calls.length));
});

test('the redirect URI to compare comes after 45 seconds and can be copied', async () => {
  service.signIn = PRESSED;
  const card = await shown();
  await pass(44_000);
  assert.doesNotMatch(card.node.textContent, /error page/);
  await pass(2_000);
  assert.match(card.node.textContent, /error page/);
  const copied: string[] = [];
  Object.defineProperty(navigator, 'clipboard', {
    value: { writeText: (text: string) => void copied.push(text) },
    configurable: true
  });
  await press(card, 'Copy the redirect URI');
  assert.deepEqual(copied, [AUTHORIZATION.redirect_uri]);
  assert.match(card.node.textContent, /Copied/);
  Reflect.deleteProperty(navigator, 'clipboard');
  const copy = find(card, 'Copy the redirect URI');
  copy.blur();
  copy.click();
  await settle();
  assert.equal(getSelection()?.toString(), AUTHORIZATION.redirect_uri);
  assert.match(card.node.textContent, /Marked/);
  assert.equal(document.activeElement, copy);
});

test("the service's clock counts, not the browser's", async () => {
  service.instead = () =>
    new Response(JSON.stringify(PENDING), {
      headers: { Date: new Date(NOON + 300_000).toUTCString() }
    });
  assert.match((await shown()).node.textContent, /5 minutes left/);
});

test('Cancel gives up; Start again follows the new sign-in with the focus', async () => {
  const card = await shown();
  await pass(2_000);
  service.signIn = AUTHORIZATION;
  await press(card, 'Cancel');
  assert.equal(service.calls.at(-2), `DELETE authorizations/${PENDING.id}`);
  assert.equal(titleOf(card), 'Given up');
  assert.equal(document.activeElement, find(card, 'Start again'));
  const next = { ...PENDING, id: '00000000-0000-4000-8000-000000000001' };
  service.signIn = next;
  await press(card, 'Start again');
  assert.equal(titleOf(card), 'Waiting for you');
  assert.equal(document.activeElement, find(card, 'Authenticate'));
  assert.deepEqual(service.calls.slice(-2), [
    'POST connections/sales/authorizations',
    `GET authorizations/${next.id}=0`
  ]);
});

test('keeping the account of before is told in the words of the service', async () => {
  service.signIn = { ...PRESSED, confirm: true, identity: 'guest@example.com' };
  const card = await shown();
  service.signIn = AUTHORIZATION;
  await press(card, 'Keep the account of before');
  assert.equal(titleOf(card), 'Not authenticated');
  assert.match(card.node.textContent, /The provider did not answer\./);
});

test('a second press while the first one runs does nothing', async () => {
  const card = await shown();
  const cancel = find(card, 'Cancel');
  cancel.click();
  assert.equal(cancel.getAttribute('aria-disabled'), 'true');
  cancel.click();
  await settle();
  assert.equal(cancel.getAttribute('aria-disabled'), 'false');
  const writes = service.calls.filter(call => call.startsWith('DELETE'));
  assert.equal(writes.length, 1);
});

test('a start that fails says why and can be tried again', async () => {
  service.instead = () => body(UNKNOWN, 404);
  const card = await shown();
  assert.equal(titleOf(card), 'This sign-in is over');
  service.instead = () => body({ ...UNAVAILABLE, code: 'conflict' }, 409);
  await press(card, 'Start again');
  assert.equal(titleOf(card), 'Not possible now');
  assert.match(card.node.textContent, /The provider does not answer\. Wait\./);
  service.instead = null;
  await press(card, 'Start again');
  assert.equal(titleOf(card), 'Waiting for you');
});

test('an old card asks once, whatever its notebook says', async () => {
  service.instead = () => body(UNKNOWN, 404);
  const card = await shown();
  await pass(300_000);
  assert.deepEqual(service.calls, [`${question}=0`]);
  assert.equal(card.node.querySelector('a:not([hidden])'), null);
});

test('a service that is away is asked ever more seldom, and found again', async () => {
  service.instead = () => Promise.reject(new TypeError('refused'));
  const card = await shown();
  assert.equal(titleOf(card), 'The token service does not answer');
  await pass(300_000);
  const tries = service.calls.length;
  assert.ok(tries > 8 && tries < 25, String(tries));
  service.instead = null;
  await press(card, 'Ask now');
  assert.equal(titleOf(card), 'Waiting for you');
  assert.equal(document.activeElement, find(card, 'Authenticate'));
});

test('a service that says when to come back is left alone until then', async () => {
  service.instead = () => body({ ...UNAVAILABLE, retry_after_seconds: 90 }, 503);
  await shown();
  await pass(89_000);
  assert.equal(service.calls.length, 1);
  await pass(2_000);
  assert.equal(service.calls.length, 2);
});

test('the clock does not chatter and takes no focus', async () => {
  service.signIn = PRESSED;
  const card = await shown();
  const link = find(card, 'Open the page again');
  link.focus();
  const changes: MutationRecord[] = [];
  const observer = new MutationObserver(records => changes.push(...records));
  for (const live of card.node.querySelectorAll('[role=status]')) {
    observer.observe(live, {
      subtree: true,
      childList: true,
      characterData: true
    });
  }
  await pass(40_000);
  assert.equal(changes.length, 0);
  assert.match(card.node.textContent, /9 minutes left/);
  assert.equal(document.activeElement, link);
  await pass(6_000);
  assert.equal(changes.length, 1);
  assert.equal(document.activeElement, link);
  observer.disconnect();
});

test('two cards of one sign-in are both right', async () => {
  const one = await shown();
  const two = await shown();
  await pass(2_000);
  for (const question of service.open) {
    question.answer(DONE);
  }
  await settle();
  assert.deepEqual([one, two].map(titleOf), ['Authenticated', 'Authenticated']);
});

test('a kernel shows another sign-in in the same output', async () => {
  const card = await shown();
  const next = { ...PENDING, id: '00000000-0000-4000-8000-000000000001' };
  await card.renderModel(model(next));
  await settle();
  assert.equal(service.calls.at(-1), `GET authorizations/${next.id}=0`);
});

test('an output that is no sign-in asks nothing', async () => {
  const card = await shown({ id: '../me', connection: 'sales' });
  assert.equal(titleOf(card), 'This sign-in cannot be read');
  await pass(60_000);
  assert.deepEqual(service.calls, []);
});

test('a press with the mouse leaves focus and selected cell where they are', async () => {
  const { card, next } = await inNotebook();
  next.focus();
  for (const name of ['Authenticate', 'Cancel']) {
    const down = mouseDown(find(card, name));
    assert.equal(down.defaultPrevented, true);
  }
  assert.equal(heard, 0);
  assert.equal(document.activeElement, next);
});

test('text in the card can be selected with the mouse', async () => {
  service.signIn = PRESSED;
  const { card } = await inNotebook();
  await pass(46_000);
  const address = [...card.node.querySelectorAll('code')].find(
    one => one.textContent === AUTHORIZATION.redirect_uri
  );
  assert.ok(address);
  assert.equal(mouseDown(address).defaultPrevented, false);
  assert.equal(heard, 1);
});

test('a press with the mouse from elsewhere makes it the notebook to work in', async () => {
  const { card, next } = await inNotebook();
  next.classList.add('jp-mod-active');
  assert.equal(document.activeElement, document.body);
  mouseDown(find(card, 'Authenticate'));
  assert.equal(document.activeElement, next);
});

test('a card that goes away gives the focus back to the cell that had it', async () => {
  const { card, next } = await inNotebook();
  next.focus();
  find(card, 'Authenticate').focus();
  find(card, 'Cancel').focus();
  card.dispose();
  assert.equal(document.activeElement, next);
});

test('it goes to its own cell where no other one had it', async () => {
  const { card, own } = await inNotebook();
  find(card, 'Authenticate').focus();
  card.dispose();
  assert.equal(document.activeElement, own);
});

test('it goes to its own cell where the other one was deleted', async () => {
  const { card, own, next } = await inNotebook();
  next.focus();
  find(card, 'Authenticate').focus();
  next.remove();
  card.dispose();
  assert.equal(document.activeElement, own);
});

test('a card that goes away takes the focus from nobody', async () => {
  const { card, next } = await inNotebook();
  find(card, 'Authenticate').focus();
  next.focus();
  card.dispose();
  assert.equal(document.activeElement, next);
});

test('a button that goes gives the focus back when there is no other', async () => {
  const { card, next } = await inNotebook();
  next.focus();
  find(card, 'Authenticate').focus();
  await pass(2_000);
  service.open[0]?.answer(DONE);
  await settle();
  assert.equal(titleOf(card), 'Authenticated');
  assert.equal(document.activeElement, next);
});

test('outside a notebook it stays in the card', async () => {
  const card = await shown();
  find(card, 'Authenticate').focus();
  await pass(2_000);
  service.open[0]?.answer(DONE);
  await settle();
  assert.equal(document.activeElement?.textContent, 'Authenticated');
});

test('names are texts, never markup', async () => {
  service.signIn = {
    ...AUTHORIZATION,
    error: { code: 'x', message: '<img src=x>`<b>`', at: '' }
  };
  const card = await shown();
  assert.equal(card.node.querySelector('img, b'), null);
  assert.equal(card.node.querySelector('code')?.textContent, '<b>');
});
