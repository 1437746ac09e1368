import { trans } from './page.ts';

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { NO_ANSWER, NO_SERVICE } from '../src/api.ts';
import type { IAuthorization, IProblem } from '../src/api.ts';
import { cardDataOf, viewOf } from '../src/state.ts';
import type { ICardData, IFacts, IView } from '../src/state.ts';
import { AUTHORIZATION, NOON, PENDING } from './golden.ts';

const MOUNT = 'http://localhost:8888/base/oauthconn/';
const DATA = cardDataOf(PENDING) as ICardData;
const PRESSED = { redirect_uri: AUTHORIZATION.redirect_uri };

function view(
  signIn: Partial<IAuthorization>,
  facts: Partial<IFacts> = {}
): IView {
  return viewOf(
    {
      data: DATA,
      trusted: true,
      mount: MOUNT,
      authorization: { ...PENDING, ...signIn },
      problem: null,
      gaveUp: false,
      now: NOON,
      ahead: 0,
      pressedSince: null,
      ...facts
    },
    trans
  );
}

function stuck(problem: Partial<IProblem>, facts: Partial<IFacts> = {}): IView {
  const whole = {
    code: 'internal',
    message: 'It broke.',
    hint: 'Mend it.',
    passing: false,
    retryAfterSeconds: null,
    ...problem
  };
  return view({}, { authorization: null, problem: whole, ...facts });
}

test('nothing is offered before the service has spoken', () => {
  const shown = view({}, { authorization: null });
  assert.equal(shown.title, 'Looking at the sign-in…');
  assert.equal(shown.link, null);
  assert.equal(shown.startAgain, '');
});

test('waiting: a link to the page on this origin', () => {
  const shown = view({ public_url: 'http://127.0.0.1:8888/oauthconn/x' });
  assert.equal(shown.title, 'Waiting for you');
  assert.deepEqual(shown.link, {
    href: `${MOUNT}connect/sales`,
    label: 'Authenticate',
    first: true
  });
  assert.equal(shown.timeLeft, '10 minutes left');
  assert.equal(shown.giveUp, 'Cancel');
});

test('waiting at a page of the kernel: its whole address', () => {
  const page = 'http://127.0.0.1:40123/oauthconn/connect/sales';
  const shown = view({ flow: 'loopback', public_url: page });
  assert.equal(shown.link?.href, page);
});

for (const public_url of [
  'https://evil.example/',
  'javascript:alert(1)',
  'http://127.0.0.1.evil.example/',
  null
]) {
  test(`a page of the kernel is on this computer, not ${String(public_url)}`, () => {
    assert.equal(view({ flow: 'loopback', public_url }).link, null);
  });
}

test('waiting for a device: address and host as text, and the code', () => {
  const { user_code, verification_uri } = AUTHORIZATION;
  const shown = view({ flow: 'device', user_code, verification_uri });
  assert.equal(shown.link, null);
  assert.deepEqual(shown.device, {
    address: 'https://login.example.com/device',
    host: 'login.example.com',
    code: 'WDJB-MJHT'
  });
});

test('a device address without a host is called so', () => {
  const shown = view({ flow: 'device', verification_uri: 'somewhere' });
  assert.equal(shown.device?.host, 'an unknown host');
});

test('pasting: the provider is opened from here, with a warning', () => {
  const verification_uri = 'https://login.example.com/authorize?x=1';
  const shown = view({ flow: 'paste', verification_uri });
  assert.equal(shown.link?.href, verification_uri);
  assert.match(shown.text, /key to your account/);
  const evil = view({ flow: 'paste', verification_uri: 'javascript:x' });
  assert.equal(evil.link, null);
});

test('pressed: continue in the other tab', () => {
  const shown = view(PRESSED, { pressedSince: NOON });
  assert.equal(shown.title, 'Continue in the other tab');
  assert.equal(shown.link?.first, false);
  assert.equal(shown.redirectUri, null);
});

test('pressed 45 seconds ago: which redirect URI to compare', () => {
  const after = (ms: number): string | null =>
    view(PRESSED, { pressedSince: NOON, now: NOON + ms }).redirectUri;
  assert.equal(after(44_999), null);
  assert.equal(after(45_000), AUTHORIZATION.redirect_uri);
});

test('another account waits to be confirmed', () => {
  const identity = 'guest@example.com';
  const shown = view({ ...PRESSED, confirm: true, identity });
  assert.equal(shown.title, 'Another account signed in');
  assert.match(shown.text, /^guest@example\.com signed in/);
  assert.equal(shown.link?.label, 'Choose the account');
  assert.equal(shown.link.href, `${MOUNT}connect/sales`);
  assert.equal(shown.giveUp, 'Keep the account of before');
});

test('done, as whom', () => {
  const shown = view({ state: 'done', identity: 'you@example.com' });
  assert.equal(shown.title, 'Authenticated as you@example.com');
  assert.equal(shown.giveUp + shown.startAgain + shown.timeLeft, '');
  assert.equal(view({ state: 'done' }).title, 'Authenticated');
});

test('refused, and why', () => {
  const shown = view(AUTHORIZATION);
  assert.equal(shown.title, 'Not authenticated');
  assert.equal(shown.text, 'The provider did not answer.');
  assert.equal(shown.startAgain, 'Start again');
  assert.equal(shown.timeLeft, '');
});

test('given up here', () => {
  assert.equal(view(AUTHORIZATION, { gaveUp: true }).title, 'Given up');
});

test('expired', () => {
  const shown = view({ state: 'expired' });
  assert.equal(shown.title, 'The time for this sign-in is over');
  assert.equal(shown.startAgain, 'Start again');
});

test('a state of a later version is over', () => {
  assert.equal(view({ state: 'merged' }).title, 'This sign-in is over');
});

test('the time left is counted in minutes, then in tens of seconds', () => {
  const left = (seconds: number): string =>
    view({}, { now: NOON + 600_000 - seconds * 1_000 }).timeLeft;
  assert.deepEqual(
    [599, 90, 61, 60, 51, 50, 0.5, 0, -5].map(left),
    [
      '10 minutes left',
      '2 minutes left',
      '1 minute left',
      '60 seconds left',
      '60 seconds left',
      '50 seconds left',
      '10 seconds left',
      '',
      ''
    ]
  );
});

test("the time left is by the service's clock, patience by this one", () => {
  assert.equal(view({}, { ahead: 300_000 }).timeLeft, '5 minutes left');
  const late = view(PRESSED, { pressedSince: NOON, ahead: 300_000 });
  assert.equal(late.redirectUri, null);
});

test('unknown to the service: over', () => {
  const shown = stuck({ code: 'unknown_authorization' });
  assert.equal(shown.title, 'This sign-in is over');
  assert.equal(shown.startAgain, 'Start again');
  assert.equal(shown.link, null);
});

test('no service: nothing to press but to look again', () => {
  const shown = stuck({ code: NO_SERVICE, message: '', hint: '' });
  assert.equal(shown.title, 'No token service here');
  assert.equal(shown.startAgain, '');
  assert.equal(shown.askAgain, 'Look again');
});

test('no answer: asked again by itself', () => {
  const silent = stuck({ code: NO_ANSWER, passing: true });
  assert.equal(silent.title, 'The token service does not answer');
  assert.match(silent.text, /by itself/);
  assert.equal(silent.askAgain, 'Ask now');
  assert.equal(stuck({ passing: true }).text, 'It broke. Mend it.');
});

test('any other error: message and hint', () => {
  const shown = stuck({ code: 'unknown_connection' });
  assert.equal(shown.text, 'It broke. Mend it.');
  assert.equal(shown.startAgain, 'Start again');
  const out = stuck({ code: 'not_signed_in', hint: '' });
  assert.equal(out.text, 'It broke.');
  assert.equal(out.startAgain, '');
  assert.equal(out.askAgain, 'Look again');
});

const DEVICE = cardDataOf({ ...AUTHORIZATION, flow: 'device' }) as ICardData;

for (const code of [NO_SERVICE, 'unknown_authorization']) {
  test(`a sign-in of the kernel's own service (${code})`, () => {
    const shown = stuck({ code }, { data: DEVICE });
    assert.equal(shown.device?.code, 'WDJB-MJHT');
    assert.match(shown.text, /run the cell again/);
    // somebody else's notebook could send the person anywhere
    const foreign = stuck({ code }, { data: DEVICE, trusted: false });
    assert.equal(foreign.device, null);
    assert.equal(foreign.link, null);
  });
}

test('what the notebook holds is checked', () => {
  const { id, connection } = PENDING;
  assert.deepEqual(cardDataOf({ id, connection }), {
    id,
    connection,
    flow: 'callback',
    public_url: null,
    user_code: null,
    verification_uri: null
  });
  for (const value of [
    null,
    'x',
    [],
    {},
    { id },
    { connection },
    { id: `${id}/../me`, connection },
    { id: '..', connection },
    { id, connection: '../clients' },
    { id, connection: 'x'.repeat(41) },
    { id: 7, connection }
  ]) {
    assert.equal(cardDataOf(value), null, JSON.stringify(value));
  }
});
