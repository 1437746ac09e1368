import './page.ts';

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, beforeEach, test } from 'node:test';

import { ServerConnection } from '@jupyterlab/services';

import { CallError, NO_ANSWER, NO_SERVICE, SignInApi } from '../src/api.ts';
import type { IProblem } from '../src/api.ts';
import { AUTHORIZATION, INTERACTION, UNAVAILABLE } from './golden.ts';

interface ISeen {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly xsrf: string | undefined;
  readonly body: string;
}

let seen: ISeen[] = [];
let answer: (response: ServerResponse) => void;

const server = createServer((request, response) => {
  void bodyOf(request).then(body => {
    const url = new URL(request.url ?? '', 'http://localhost');
    seen.push({
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      xsrf: request.headers['x-xsrftoken']?.toString(),
      body
    });
    answer(response);
  });
});
await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
after(() => server.close());
const { port } = server.address() as AddressInfo;
const id = AUTHORIZATION.id;
const never = new AbortController().signal;

beforeEach(() => {
  seen = [];
  json(200, AUTHORIZATION);
});

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) {
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts).toString();
}

function json(status: number, body: unknown): void {
  answer = response => {
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(body));
  };
}

function html(status: number): void {
  answer = response => {
    response.writeHead(status, { 'Content-Type': 'text/html' });
    response.end('<html>code</html>');
  };
}

function api(at = port): SignInApi {
  const baseUrl = `http://127.0.0.1:${String(at)}/user/a%20b/`;
  return new SignInApi(ServerConnection.makeSettings({ baseUrl }));
}

async function problemOf(call: Promise<unknown>): Promise<IProblem> {
  const error: unknown = await call.then(
    () => null,
    (reason: unknown) => reason
  );
  assert.ok(error instanceof CallError, String(error));
  return error.problem;
}

test('a sign-in is read at its address, with its golden body', async () => {
  const reading = await api().read(id, 20, never);
  assert.deepEqual(reading.authorization, AUTHORIZATION);
  assert.equal(reading.serviceTime, null);
  const [one] = seen;
  assert.equal(one?.method, 'GET');
  assert.equal(
    one.path,
    `/user/a%20b/oauthconn/api/v1/authorizations/${id}`
  );
  assert.equal(one.query.get('wait_seconds'), '20');
});

test('a brief question tells the clock of the service', async () => {
  const { serviceTime } = await api().read(id, 0, never);
  assert.ok(Math.abs((serviceTime ?? 0) - Date.now()) < 5_000);
});

test('giving up and starting again are writes that prove the page', async () => {
  document.cookie = '_xsrf=2|abc';
  answer = response => response.writeHead(204).end();
  await api().giveUp(id);
  json(200, AUTHORIZATION);
  await api().start('sales');
  assert.deepEqual(
    seen.map(one => [one.method, one.path.split('/v1/')[1], one.xsrf]),
    [
      ['DELETE', `authorizations/${id}`, '2|abc'],
      ['POST', 'connections/sales/authorizations', '2|abc']
    ]
  );
  assert.equal(seen[1]?.body, '{}');
});

test('what stands in an address is escaped', async () => {
  await api().read('../../me?', 0, never);
  assert.match(seen[0]?.path ?? '', /authorizations\/\.\.%2F\.\.%2Fme%3F$/);
});

test('an error is told in the words of the service', async () => {
  json(503, UNAVAILABLE);
  assert.deepEqual(await problemOf(api().start('sales')), {
    code: 'provider_unavailable',
    message: UNAVAILABLE.message,
    hint: UNAVAILABLE.hint,
    passing: true,
    retryAfterSeconds: 30
  });
  json(409, INTERACTION);
  const problem = await problemOf(api().start('sales'));
  assert.equal(problem.message, INTERACTION.message);
  assert.equal(problem.hint, INTERACTION.hint);
  assert.equal(problem.passing, false);
});

test('too many requests pass', async () => {
  json(429, { ...UNAVAILABLE, code: 'too_many_requests' });
  assert.equal((await problemOf(api().read(id, 0, never))).passing, true);
});

for (const [status, code] of [
  [200, NO_SERVICE],
  [403, NO_SERVICE],
  [404, NO_SERVICE],
  [502, NO_ANSWER],
  [503, NO_ANSWER]
] as const) {
  test(`a page of somebody else with status ${String(status)}`, async () => {
    html(status);
    const problem = await problemOf(api().read(id, 0, never));
    assert.equal(problem.code, code);
    assert.equal(problem.passing, code === NO_ANSWER);
  });
}

test("Jupyter's own errors are not the service's", async () => {
  json(404, { message: 'Not Found', reason: null });
  const problem = await problemOf(api().read(id, 0, never));
  assert.equal(problem.code, NO_SERVICE);
});

test('nobody listens', async () => {
  const problem = await problemOf(api(1).read(id, 0, never));
  assert.equal(problem.code, NO_ANSWER);
  assert.equal(problem.passing, true);
});

test('the connection breaks within the answer', async () => {
  answer = response => {
    response.writeHead(200, { 'Content-Length': '999' });
    response.write('{"id":', () => response.destroy());
  };
  const problem = await problemOf(api().read(id, 0, never));
  assert.equal(problem.code, NO_ANSWER);
});

test('a sign-in that lacks a member is none', async () => {
  for (const member of Object.keys(AUTHORIZATION)) {
    json(200, { ...AUTHORIZATION, [member]: undefined });
    const problem = await problemOf(api().read(id, 0, never));
    assert.equal(problem.code, NO_SERVICE, member);
  }
});

test('a later service may say more', async () => {
  json(200, { ...AUTHORIZATION, of_a_later_version: 1 });
  const { authorization } = await api().read(id, 0, never);
  assert.equal(authorization.id, id);
});
