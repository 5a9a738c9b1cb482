import 'reflect-metadata';

import { Body, Controller, Inject, Injectable, Module, type OnApplicationShutdown, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { PulsoServer } from '@pulso/server';

import { book, listening, type Sale, sell, transaction } from './shop.js';

@Injectable()
class Pulso extends PulsoServer implements OnApplicationShutdown {
  constructor() {
    super({ url: process.env.PULSO_URL ?? '', key: process.env.PULSO_KEY ?? '' });
  }

  async onApplicationShutdown() {
    await this.flush({ timeout: 20_000 });
  }
}

@Controller()
class Sales {
  constructor(@Inject(Pulso) private readonly pulso: Pulso) {}

  @Post('ventas')
  async venta(@Body() sale: Sale) {
    const venta = await transaction((db) => sell(db, sale));
    void this.pulso.venta(venta);
    return venta;
  }

  @Post('citas')
  async cita(@Body() { negocio }: Sale) {
    await transaction(async (db) => this.pulso.cita(negocio, { action: 'created', xid: await book(db, negocio) }));
    return { negocio };
  }
}

@Module({ controllers: [Sales], providers: [Pulso] })
class Shop {}

const app = await NestFactory.create(Shop, { logger: ['error'] });
app.enableShutdownHooks();
await app.listen(0, '127.0.0.1');
listening(app.getHttpServer().address().port);
