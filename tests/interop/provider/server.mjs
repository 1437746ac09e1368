// oidc-provider on a loopback port, set up like a strict provider in the field, with its own
// development pages for people. A second port serves the tests: what was asked of the provider
// (never a secret, tokens as short digests), and settings that change while it runs.
//
// usage: node server.mjs '{"conformIdTokenClaims": false}'
// Prints one line of JSON with both addresses, and ends when its standard input does.
import { createHash, generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { Provider, errors } from 'oidc-provider';

// OpenID Connect Core §5.4: a conforming one keeps the e-mail address out of the ID token
const { conformIdTokenClaims = false } = JSON.parse(process.argv[2] ?? '{}');
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
const CALLBACKS = ['localhost', '127.0.0.1'].flatMap((name) => [
  `http://${name}:8888/oauthconn/callback/interop`,
  `http://${name}:8888/oauthconn/callback/second`,
  `http://${name}:8888/a%40b/oauthconn/callback/interop`,
]);

const client = (client_id, token_endpoint_auth_method, more = {}) => ({
  client_id,
  token_endpoint_auth_method,
  // RFC 8252 §7.3: a native app's loopback redirect URIs match on any port
  application_type: 'native',
  redirect_uris: CALLBACKS,
  grant_types: ['authorization_code', 'refresh_token', DEVICE],
  response_types: ['code'],
  ...more,
});

const clients = [
  client('notebook', 'none'),
  client('weird:id', 'client_secret_basic', { client_secret: 'p%40ss+w/rd=&?:~ok' }),
  client('posting', 'client_secret_post', {
    client_secret: 'posted secret+&=%',
    id_token_signed_response_alg: 'ES256',
  }),
  client('elsewhere', 'none', { redirect_uris: ['http://localhost:8888/another/path'] }),
  client('resource', 'client_secret_basic', {
    client_secret: 'resource-secret', grant_types: [], response_types: [], redirect_uris: [],
  }),
];

const defaults = () => ({
  seconds: { AccessToken: 3600, RefreshToken: 86400, DeviceCode: 600, AuthorizationCode: 60 },
  deviceInterval: 1,
  // overrides fields of the metadata document; null removes one
  metadata: {},
});
let settings = defaults();
let requests = [];

const key = (alg, type, options) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }),
  alg,
  use: 'sig',
  kid: alg,
});
const life = (kind) => () => settings.seconds[kind];
const digest = (value) => value && createHash('sha256').update(value).digest('hex').slice(0, 8);

const server = createServer();
await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients,
  clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post'],
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  conformIdTokenClaims,
  cookies: { keys: ['interop'] },
  jwks: {
    keys: [
      key('RS256', 'rsa', { modulusLength: 2048 }),
      key('ES256', 'ec', { namedCurve: 'P-256' }),
    ],
  },
  findAccount: (ctx, accountId) => ({
    accountId,
    claims: () => ({ sub: accountId, email: `${accountId}@example.com`, email_verified: true }),
  }),
  features: {
    devInteractions: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    // RFC 8707: a token for a store of its own, if the sign-in had asked for that store, too
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => false,
      getResourceServerInfo: (ctx, resource) => {
        if (!resource.startsWith('urn:store:')) throw new errors.InvalidTarget();
        return {
          scope: 'rows',
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: settings.seconds.AccessToken,
        };
      },
    },
    rpInitiatedLogout: { enabled: false },
  },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  ttl: {
    AccessToken: life('AccessToken'),
    AuthorizationCode: life('AuthorizationCode'),
    DeviceCode: life('DeviceCode'),
    RefreshToken: life('RefreshToken'),
    Grant: 86400,
    IdToken: 3600,
    Interaction: 3600,
    Session: 86400,
  },
});

const authentication = (ctx) => {
  if (ctx.get('authorization').startsWith('Basic ')) return 'client_secret_basic';
  return ctx.oidc.body?.client_secret ? 'client_secret_post' : 'none';
};

const note = (ctx) => ({
  endpoint: ctx.oidc.route,
  grant_type: ctx.oidc.body?.grant_type ?? null,
  client_id: ctx.oidc.client?.clientId ?? null,
  authentication: authentication(ctx),
  status: ctx.status,
  error: ctx.body?.error ?? null,
  parameters: Object.keys(ctx.oidc.body ?? ctx.query).sort(),
  code_challenge_method: ctx.query.code_challenge_method ?? null,
  query: ctx.oidc.route === 'authorization' ? [] : Object.keys(ctx.query).sort(),
  refresh_token: digest(ctx.oidc.body?.refresh_token) ?? null,
});

provider.use(async (ctx, next) => {
  await next();
  if (!ctx.oidc?.route) return;
  if (ctx.oidc.route === 'discovery') ctx.body = { ...ctx.body, ...settings.metadata };
  if (ctx.oidc.route === 'device_authorization' && ctx.status === 200) {
    // RFC 8628 §3.2: without it a client waits five seconds between two polls
    ctx.body = { ...ctx.body, interval: settings.deviceInterval };
  }
  requests.push(note(ctx));
});

// data behind an access token, which the provider itself judges
provider.use(async (ctx, next) => {
  if (ctx.path !== '/rows') return next();
  const [scheme, value] = ctx.get('authorization').split(' ');
  const token = scheme === 'Bearer' ? await provider.AccessToken.find(value ?? '') : undefined;
  if (!token?.isValid) ctx.throw(401, 'no valid access token');
  ctx.body = {
    for: token.accountId,
    rows: [{ region: 'North', revenue: 120 }, { region: 'South', revenue: 95 }],
  };
});
server.on('request', provider.callback());

const read = async (request) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  return JSON.parse(body || '{}');
};
const control = createServer(async (request, response) => {
  if (request.url === '/reset') {
    settings = defaults();
    requests = [];
  } else if (request.url === '/set') {
    const { seconds, ...rest } = await read(request);
    settings = { ...settings, ...rest, seconds: { ...settings.seconds, ...seconds } };
  }
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify(requests));
});
await new Promise((resolve) => { control.listen(0, '127.0.0.1', resolve); });
console.log(JSON.stringify({ issuer, control: `http://127.0.0.1:${control.address().port}` }));

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
