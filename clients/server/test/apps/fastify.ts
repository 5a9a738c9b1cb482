import { PulsoServer } from '@pulso/server';
import fastify from 'fastify';
import type { AddressInfo } from 'node:net';

import { book, listening, type Sale, sell, transaction } from './shop.js';

const app = fastify();

const pulso = new PulsoServer({ url: process.env.PULSO_URL ?? '', key: process.env.PULSO_KEY ?? '' });
app.addHook('onClose', async () => {
  await pulso.flush({ timeout: 20_000 });
});

app.post<{ Body: Sale }>('/ventas', async (request, reply) => {
  const venta = await transaction((db) => sell(db, request.body));
  void pulso.venta(venta);
  return reply.code(201).send(venta);
});

app.post<{ Body: Sale }>('/citas', async (request, reply) => {
  const { negocio } = request.body;
  await transaction(async (db) => pulso.cita(negocio, { action: 'created', xid: await book(db, negocio) }));
  return reply.code(201).send({ negocio });
});

process.once('SIGTERM', async () => {
  await app.close();
  process.exit();
});

await app.listen({ port: 0, host: '127.0.0.1' });
listening((app.server.address() as AddressInfo).port);
