/**
 * What the card shows, as a pure function of what is known.
 */
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';

import { NO_ANSWER, NO_SERVICE } from './api.ts';
import type { IAuthorization, IProblem } from './api.ts';

/** What the notebook holds: written by a kernel, or by whoever sent the notebook. */
export interface ICardData {
  readonly id: string;
  readonly connection: string;
  readonly flow: string;
  readonly public_url: string | null;
  readonly user_code: string | null;
  readonly verification_uri: string | null;
}

/** All that is known about a sign-in. */
export interface IFacts {
  readonly data: ICardData;
  /** Whether the notebook's content may be shown as the notebook has it. */
  readonly trusted: boolean;
  /** Where the service's pages are, ending in a slash. */
  readonly mount: string;
  /** The last answer of the service. */
  readonly authorization: IAuthorization | null;
  /** What went wrong since that answer. */
  readonly problem: IProblem | null;
  /** Whether this card's own button ended it. */
  readonly gaveUp: boolean;
  /** This browser's clock in milliseconds. */
  readonly now: number;
  /** The service's clock less this browser's. */
  readonly ahead: number;
  /** When the press of the page's button was first seen, by this browser's clock. */
  readonly pressedSince: number | null;
}

/** The look of a state; the words say the same. */
export type Kind = 'quiet' | 'waiting' | 'done' | 'failed';

/** What is shown. An empty text is not shown. */
export interface IView {
  readonly kind: Kind;
  readonly title: string;
  /** Commands stand between backticks. */
  readonly text: string;
  readonly timeLeft: string;
  readonly link: ILink | null;
  readonly device: IDevice | null;
  /** What to compare when the provider shows an error page. */
  readonly redirectUri: string | null;
  /** Labels of the buttons. */
  readonly giveUp: string;
  readonly startAgain: string;
  readonly askAgain: string;
}

/** A link that opens in a new tab. */
export interface ILink {
  readonly href: string;
  readonly label: string;
  /** Whether it is what to do next. */
  readonly first: boolean;
}

/** What the person types on another device (RFC 8628 §3.3). */
export interface IDevice {
  readonly address: string;
  readonly host: string;
  readonly code: string;
}

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const NAME = /^[a-z0-9][a-z0-9_-]{0,39}$/;

/** A provider that shows an error page never comes back: after this time we say what to compare. */
const PATIENCE_MS = 45_000;

/** The notebook's data, or null where it is no sign-in of ours. */
export function cardDataOf(value: unknown): ICardData | null {
  if (typeof value !== 'object' || value === null) {
    return null;
  }
  const data = value as Record<string, unknown>;
  const text = (name: string): string | null => {
    const member = data[name];
    return typeof member === 'string' ? member : null;
  };
  const id = text('id') ?? '';
  const connection = text('connection') ?? '';
  // both become parts of addresses
  if (!ID.test(id) || !NAME.test(connection)) {
    return null;
  }
  return {
    id,
    connection,
    flow: text('flow') ?? 'callback',
    public_url: text('public_url'),
    user_code: text('user_code'),
    verification_uri: text('verification_uri')
  };
}

/** What to show of a notebook's output that is no sign-in. */
export function unreadable(trans: IRenderMime.TranslationBundle): IView {
  return {
    ...NOTHING,
    title: trans.__('This sign-in cannot be read'),
    text: trans.__('Run the cell again to see how the connection stands.')
  };
}

/** What to show. */
export function viewOf(
  facts: IFacts,
  trans: IRenderMime.TranslationBundle
): IView {
  if (facts.problem !== null) {
    return problemView(facts, facts.problem, trans);
  }
  const { authorization } = facts;
  if (authorization === null) {
    return { ...NOTHING, title: trans.__('Looking at the sign-in…') };
  }
  switch (authorization.state) {
    case 'pending':
      return pendingView(facts, authorization, trans);
    case 'done':
      return doneView(authorization, trans);
    case 'refused':
      return refusedView(facts, authorization, trans);
    case 'expired':
      return {
        ...NOTHING,
        kind: 'failed',
        title: trans.__('The time for this sign-in is over'),
        text: trans.__('It was not finished in time; nothing was changed.'),
        startAgain: trans.__('Start again')
      };
    default:
      return overView(trans);
  }
}

const NOTHING: IView = {
  kind: 'quiet',
  title: '',
  text: '',
  timeLeft: '',
  link: null,
  device: null,
  redirectUri: null,
  giveUp: '',
  startAgain: '',
  askAgain: ''
};

function pendingView(
  facts: IFacts,
  authorization: IAuthorization,
  trans: IRenderMime.TranslationBundle
): IView {
  const pending = {
    ...NOTHING,
    kind: 'waiting' as const,
    timeLeft: timeLeft(authorization, facts.now + facts.ahead, trans),
    giveUp: trans.__('Cancel')
  };
  const page = pageOf(authorization, facts.mount);
  if (authorization.confirm) {
    return {
      ...pending,
      title: trans.__('Another account signed in'),
      text: trans.__(
        '%1 signed in, not the account of before. Choose which one %2 uses from now on.',
        authorization.identity ?? trans.__('Somebody else'),
        authorization.connection
      ),
      link: linkTo(page, trans.__('Choose the account')),
      giveUp: trans.__('Keep the account of before')
    };
  }
  if (authorization.redirect_uri !== null) {
    const since = facts.pressedSince ?? facts.now;
    return {
      ...pending,
      title: trans.__('Continue in the other tab'),
      text: trans.__('Sign in at the provider there. The cell goes on by itself.'),
      link: linkTo(page, trans.__('Open the page again'), false),
      redirectUri:
        facts.now - since >= PATIENCE_MS ? authorization.redirect_uri : null
    };
  }
  return { ...pending, ...wayIn(authorization, page, trans) };
}

/** Title, text and what to press or type before anything has happened. */
function wayIn(
  signIn: ICardData | IAuthorization,
  page: string | null,
  trans: IRenderMime.TranslationBundle
): Pick<IView, 'title' | 'text' | 'link' | 'device'> {
  const title = trans.__('Waiting for you');
  switch (signIn.flow) {
    case 'device':
      return {
        title,
        text: trans.__(
          'Open this address on any device and enter the code. The cell goes on by itself.'
        ),
        link: null,
        device: {
          address: signIn.verification_uri ?? '',
          host: hostOf(signIn.verification_uri) ?? trans.__('an unknown host'),
          code: signIn.user_code ?? ''
        }
      };
    case 'paste':
      return {
        title,
        text: trans.__(
          'Sign in there. The page that opens last cannot be loaded: copy its address from the address bar into the field of the cell. Never send that address to anybody: it is the key to your account.'
        ),
        link: linkTo(page, trans.__('Open the sign-in page')),
        device: null
      };
    default:
      return {
        title,
        text: trans.__(
          'Authenticate in a new tab. The cell goes on by itself.'
        ),
        link: linkTo(page, trans.__('Authenticate')),
        device: null
      };
  }
}

function doneView(
  { connection, identity }: IAuthorization,
  trans: IRenderMime.TranslationBundle
): IView {
  return {
    ...NOTHING,
    kind: 'done',
    title: identity
      ? trans.__('Authenticated as %1', identity)
      : trans.__('Authenticated'),
    text: trans.__('%1 can be used now.', connection)
  };
}

function refusedView(
  facts: IFacts,
  { error }: IAuthorization,
  trans: IRenderMime.TranslationBundle
): IView {
  return {
    ...NOTHING,
    kind: 'failed',
    title: facts.gaveUp ? trans.__('Given up') : trans.__('Not authenticated'),
    text: facts.gaveUp
      ? trans.__('You ended this sign-in; nothing was changed.')
      : (error?.message ?? trans.__('The sign-in was refused.')),
    startAgain: trans.__('Start again')
  };
}

function overView(trans: IRenderMime.TranslationBundle): IView {
  return {
    ...NOTHING,
    title: trans.__('This sign-in is over'),
    text: trans.__('The notebook has kept the card of an earlier sign-in.'),
    startAgain: trans.__('Start again')
  };
}

function problemView(
  facts: IFacts,
  problem: IProblem,
  trans: IRenderMime.TranslationBundle
): IView {
  const { code } = problem;
  if (code === NO_SERVICE || code === 'unknown_authorization') {
    if (facts.authorization === null && isOfKernel(facts)) {
      return kernelView(facts, trans);
    }
  }
  if (code === 'unknown_authorization') {
    return overView(trans);
  }
  if (code === NO_SERVICE) {
    return {
      ...NOTHING,
      title: trans.__('No token service here'),
      text: trans.__(
        'How the sign-in stands cannot be told: this Jupyter server does not run jupyter-oauthconn, or you are signed out of it.'
      ),
      askAgain: trans.__('Look again')
    };
  }
  const said = [problem.message, problem.hint].filter(one => one !== '').join(' ');
  if (problem.passing) {
    return {
      ...NOTHING,
      kind: 'waiting',
      title: trans.__('The token service does not answer'),
      text:
        code === NO_ANSWER
          ? trans.__('It is asked again by itself; nothing is lost.')
          : said,
      askAgain: trans.__('Ask now')
    };
  }
  const signedOut = code === 'not_signed_in' || code === 'not_allowed';
  return {
    ...NOTHING,
    kind: 'failed',
    title: trans.__('Not possible now'),
    text: said,
    startAgain: signedOut ? '' : trans.__('Start again'),
    askAgain: signedOut ? trans.__('Look again') : ''
  };
}

/** A kernel that keeps its own tokens serves the sign-in itself; this server knows nothing. */
function isOfKernel({ data, trusted }: IFacts): boolean {
  return trusted && data.flow !== 'callback';
}

function kernelView(
  { data, mount }: IFacts,
  trans: IRenderMime.TranslationBundle
): IView {
  const way = wayIn(data, pageOf({ ...data, path: '' }, mount), trans);
  const doubt = trans.__(
    'If that does not work any more, the sign-in is over: run the cell again.'
  );
  return {
    ...NOTHING,
    kind: 'waiting',
    ...way,
    text: [way.text, doubt].join(' ')
  };
}

/** Where the person goes; null where the address is none that we would send her to. */
function pageOf(
  signIn: Pick<IAuthorization, 'flow' | 'path' | 'public_url' | 'verification_uri'>,
  mount: string
): string | null {
  switch (signIn.flow) {
    case 'device':
      return null;
    case 'loopback': {
      const here = ['localhost', '127.0.0.1', '[::1]'];
      return here.includes(hostOf(signIn.public_url) ?? '')
        ? signIn.public_url
        : null;
    }
    case 'paste':
      return hostOf(signIn.verification_uri) === null
        ? null
        : signIn.verification_uri;
    default:
      // on the page's own origin: an absolute address may be another name of the same server,
      // for which the browser has no cookie
      return mount + signIn.path;
  }
}

/** The host of a web address; null for any other one. */
function hostOf(address: string | null): string | null {
  try {
    const { protocol, hostname } = new URL(address ?? '');
    return protocol === 'https:' || protocol === 'http:' ? hostname : null;
  } catch {
    return null;
  }
}

function linkTo(
  href: string | null,
  label: string,
  first = true
): ILink | null {
  return href === null ? null : { href, label, first };
}

function timeLeft(
  { expires_at }: IAuthorization,
  serviceTime: number,
  trans: IRenderMime.TranslationBundle
): string {
  const seconds = (Date.parse(expires_at) - serviceTime) / 1_000;
  if (!(seconds > 0)) {
    return '';
  }
  if (seconds > 60) {
    return trans._n('%1 minute left', '%1 minutes left', Math.round(seconds / 60));
  }
  // ten at a time: a clock that jumps every second takes the eye off the text
  return trans.__('%1 seconds left', Math.ceil(seconds / 10) * 10);
}
