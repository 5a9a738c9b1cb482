// A program on our client package as any runtime of JavaScript runs it: nothing but the package, and what is global there.
//
//   <runtime> package_runtime.mjs URL TRANSPORT NEGOCIO TOKEN…     with a node_modules beside it that has the package
//
// Gives the tokens in turn, the last one for ever. Says one JSON object a line. A message of the type `fin` closes the line; then
// nothing is left to be done.

import { Pulso } from '@pulso/client';

const [url, transport, negocio, ...tokens] = process.argv.slice(2);
const say = (what) => console.log(JSON.stringify(what));

const pulso = new Pulso({
  url,
  getToken({ reason }) {
    say({ asked: reason });
    return tokens.length > 1 ? tokens.shift() : tokens[0];
  },
  backoff: { min: 20, max: 200 },
  transports: [transport],
  WebSocket: globalThis.WebSocket ?? (await import('ws')).WebSocket,
});
pulso.on('resync', () => say({ lost: true }));
pulso.stats(negocio).on('value', ({ total_citas }) => say({ citas: total_citas }));
const caja = pulso.channel(`${negocio}:caja`);
caja.on('state', (state) => say({ caja: state }));
caja.on('value', ({ type, data }) => {
  say({ [type]: data.n });
  if (type === 'fin') pulso.close();
});
