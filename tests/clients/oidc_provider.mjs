// A real OpenID provider on a port of the loopback: `node oidc_provider.mjs <port>`. Reads one command a line and answers each:
// {"do":"sign in","user":"…","negocios":[…]}: a person signs in with a browser's requests; the access token for Pulso
// {"do":"rotate"}: signs with a new key from now on and publishes the others too · {"do":"retire"}: publishes that key alone
// {"do":"go away"}, {"do":"come back"}: its port is closed, open · {"do":"count"}: how often its keys were asked for
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { Provider } from 'oidc-provider';

const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const audience = 'https://pulso.example';
const callback = 'https://panel.example/callback';
const people = new Map();
const keys = [];
let handle;
let fetches = 0;

function addKey() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  keys.unshift({ ...privateKey.export({ format: 'jwk' }), kid: randomBytes(6).toString('hex'), use: 'sig', alg: 'ES256' });
}

// A provider's keys are given when it is made, so a rotation makes another over the same state.
function publish() {
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'panel', redirect_uris: [callback], token_endpoint_auth_method: 'none',
      id_token_signed_response_alg: 'ES256',
    }],
    renderError: (context, out) => { context.body = JSON.stringify(out); },
    clientAuthMethods: ['none'],
    jwks: { keys },
    cookies: { keys: ['a key for cookies'] },
    ttl: { Session: 3600, Grant: 3600, Interaction: 3600, AccessToken: 3600, IdToken: 3600 },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    // What the business's own metadata are with other providers.
    extraTokenClaims: (_, token) => ({ app_metadata: { negocios: people.get(token.accountId) } }),
    interactions: { url: (_, interaction) => `/sign-in/${interaction.uid}` },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: '', audience, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  });
  const answer = provider.callback();
  handle = (request, response) => {
    if (request.url === '/jwks') fetches += 1;
    return request.url.startsWith('/sign-in/') ? signIn(provider, request, response) : answer(request, response);
  };
}

// What a page with a form would do: the person is who the request says.
async function signIn(provider, request, response) {
  const { params } = await provider.interactionDetails(request, response);
  const accountId = params.login_hint;
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope('openid');
  const consent = { grantId: await grant.save() };
  await provider.interactionFinished(request, response, { login: { accountId }, consent });
}

// The authorization code flow, as a browser and its page go through it.
async function token(user) {
  const verifier = randomBytes(32).toString('base64url');
  const question = new URLSearchParams({
    client_id: 'panel', response_type: 'code', scope: 'openid', redirect_uri: callback, login_hint: user, resource: audience,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256',
  });
  const jar = new Map();
  let url = `${issuer}/auth?${question}`;
  while (!url.startsWith(callback)) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(url, { redirect: 'manual', headers: { cookie } });
    for (const set of answer.headers.getSetCookie()) {
      const [name, value] = set.split(';')[0].split(/=(.*)/s);
      jar.set(name, value);
    }
    const location = answer.headers.get('location');
    if (!location) throw new Error(`${url}: ${answer.status}: ${await answer.text()}`);
    url = new URL(location, url).href;
  }
  const code = new URL(url).searchParams.get('code');
  if (!code) throw new Error(url);
  const body = new URLSearchParams({
    grant_type: 'authorization_code', client_id: 'panel', code, redirect_uri: callback, code_verifier: verifier,
    resource: audience,
  });
  const answer = await (await fetch(`${issuer}/token`, { method: 'POST', body })).json();
  if (!answer.access_token) throw new Error(JSON.stringify(answer));
  return answer.access_token;
}

const server = createServer((request, response) => {
  // A connection that is kept would be a dead one after the server went away.
  response.setHeader('connection', 'close');
  return handle(request, response);
});
const commands = {
  'sign in': async ({ user, negocios }) => {
    people.set(user, negocios);
    return { token: await token(user) };
  },
  count: () => ({ fetches }),
  rotate: () => { addKey(); publish(); },
  retire: () => { keys.splice(1); publish(); },
  'go away': async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  },
  'come back': async () => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  },
};

addKey();
publish();
await commands['come back']();
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
say({ event: 'listening', issuer });
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  try {
    const answer = await commands[command.do](command);
    say({ event: command.do, ...answer });
  } catch (error) {
    say({ event: 'failed', why: String(error) });
  }
}
process.exit(0);
