import { PulsoServer } from '@pulso/server';
import express from 'express';
import type { AddressInfo } from 'node:net';

import { book, listening, sell, transaction } from './shop.js';

const app = express();
app.use(express.json());

const pulso = new PulsoServer({ url: process.env.PULSO_URL ?? '', key: process.env.PULSO_KEY ?? '' });

app.post('/ventas', async (request, response) => {
  const venta = await transaction((db) => sell(db, request.body));
  void pulso.venta(venta);
  response.status(201).json(venta);
});

app.post('/citas', async (request, response) => {
  const { negocio } = request.body;
  await transaction(async (db) => pulso.cita(negocio, { action: 'created', xid: await book(db, negocio) }));
  response.status(201).json({ negocio });
});

const server = app.listen(0, '127.0.0.1', () => listening((server.address() as AddressInfo).port));

process.once('SIGTERM', async () => {
  server.close();
  await pulso.flush({ timeout: 20_000 });
  process.exit();
});
