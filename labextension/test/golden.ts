/**
 * The bodies that the Python side writes and reads in `tests/wire`.
 */
import { readFileSync } from 'node:fs';

import type { IAuthorization } from '../src/api.ts';

function golden(name: string): unknown {
  const file = new URL(`../../tests/wire/golden/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8'));
}

export const AUTHORIZATION = golden('authorization') as IAuthorization;
export const UNAVAILABLE = golden('error_unavailable') as IErrorBody;
export const INTERACTION = golden('error_interaction') as IErrorBody;

export interface IErrorBody {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** The golden sign-in before anything has happened, on a server. */
export const PENDING: IAuthorization = {
  ...AUTHORIZATION,
  flow: 'callback',
  state: 'pending',
  redirect_uri: null,
  user_code: null,
  verification_uri: null,
  identity: null,
  confirm: false,
  error: null
};

/** Ten minutes before the golden sign-in ends. */
export const NOON = Date.parse(AUTHORIZATION.expires_at) - 600_000;
