"""A FastAPI back end that sells in transactions and tells Pulso once they are committed."""

import json
import os
import socket
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg
import uvicorn
from fastapi import FastAPI
from pulso import AsyncPulso
from pulso.fastapi import PulsoDependency, lifespan
from pydantic import BaseModel

pulso = AsyncPulso(url=os.environ["PULSO_URL"], key=os.environ["PULSO_KEY"])
app = FastAPI(lifespan=lifespan(pulso, timeout=20))


class Sale(BaseModel):
    negocio: str
    saleId: int = 0
    total: Decimal = Decimal(0)


@app.post("/ventas", status_code=201)
async def ventas(sale: Sale, pulso: PulsoDependency) -> dict[str, Any]:
    async with await database() as db, db.transaction():
        venta = await sell(db, sale)
    pulso.venta(venta)
    return {"saleId": venta["saleId"]}


@app.post("/citas", status_code=201)
async def citas(sale: Sale, pulso: PulsoDependency) -> dict[str, Any]:
    async with await database() as db, db.transaction():
        pulso.cita(sale.negocio, action="created", xid=await book(db, sale.negocio))
    return {"negocio": sale.negocio}


async def database() -> psycopg.AsyncConnection[tuple[Any, ...]]:
    return await psycopg.AsyncConnection.connect(os.environ["DATABASE_URL"], autocommit=True)


async def sell(db: psycopg.AsyncConnection[tuple[Any, ...]], sale: Sale) -> dict[str, Any]:
    """The database refuses what costs less than nothing, and money of its type `numeric` is a `Decimal`."""
    made = await db.execute(
        "INSERT INTO ventas (id, negocio_id, total) VALUES (%s, %s, %s) RETURNING id, total, now()",
        [sale.saleId, sale.negocio, sale.total],
    )
    row: tuple[Any, ...] | None = await made.fetchone()
    assert row is not None
    number, total, at = row
    assert isinstance(at, datetime)
    return {"negocio_id": sale.negocio, "saleId": number, "tableId": None, "total": total, "timestamp": at.isoformat()}


async def book(db: psycopg.AsyncConnection[tuple[Any, ...]], negocio: str) -> str:
    """Books an appointment; gives the transaction that it is booked in."""
    await db.execute(
        """INSERT INTO citas (cliente_id, negocio_id, servicio_id, fecha, hora_inicio, hora_fin, estado)
           VALUES (gen_random_uuid(), %s, gen_random_uuid(), '2020-01-01', '10:00', '10:30', 'pendiente')""",
        [negocio],
    )
    row = await (await db.execute("SELECT pg_current_xact_id()::text")).fetchone()
    assert row is not None
    return str(row[0])


if __name__ == "__main__":
    port = socket.create_server(("127.0.0.1", 0))
    print(json.dumps({"event": "listening", "port": port.getsockname()[1], "pid": os.getpid()}), flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[port])
