"""A Django back end that sells in transactions and tells Pulso once they are committed."""

import json
import os
import signal
import sys

import django
from django.conf import settings
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.db import connection, transaction
from django.http import JsonResponse
from django.urls import path
from psycopg.conninfo import conninfo_to_dict

database = conninfo_to_dict(os.environ["DATABASE_URL"])
settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            **{name.upper(): database[name] for name in ("host", "port", "user", "password") if name in database},
            "NAME": database["dbname"],
        }
    },
)
django.setup()

from pulso import Pulso  # noqa: E402
from pulso.django import on_commit  # noqa: E402

pulso = Pulso(url=os.environ["PULSO_URL"], key=os.environ["PULSO_KEY"])


def ventas(request):
    sale = json.loads(request.body)
    with transaction.atomic():
        venta = sell(sale)
        on_commit(pulso.venta, venta)
    return JsonResponse({"saleId": venta["saleId"]}, status=201)


def citas(request):
    negocio = json.loads(request.body)["negocio"]
    with transaction.atomic():
        pulso.cita(negocio, action="created", xid=book(negocio))
    return JsonResponse({"negocio": negocio}, status=201)


def sell(sale):
    """The database refuses what costs less than nothing, and money of its type `numeric` is a `Decimal`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ventas (id, negocio_id, total) VALUES (%s, %s, %s) RETURNING id, total, now()",
            [sale["saleId"], sale["negocio"], sale["total"]],
        )
        number, total, at = cursor.fetchone()
    return {"negocio_id": sale["negocio"], "saleId": number, "tableId": None, "total": total, "timestamp": at.isoformat()}


def book(negocio):
    """Books an appointment; gives the transaction that it is booked in."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO citas (cliente_id, negocio_id, servicio_id, fecha, hora_inicio, hora_fin, estado)
               VALUES (gen_random_uuid(), %s, gen_random_uuid(), '2020-01-01', '10:00', '10:30', 'pendiente')""",
            [negocio],
        )
        cursor.execute("SELECT pg_current_xact_id()::text")
        return cursor.fetchone()[0]


urlpatterns = [path("ventas", ventas), path("citas", citas)]


def main():
    server = ThreadedWSGIServer(("127.0.0.1", 0), WSGIRequestHandler)
    server.set_app(get_wsgi_application())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    print(json.dumps({"event": "listening", "port": server.server_port, "pid": os.getpid()}), flush=True)
    try:
        server.serve_forever()
    finally:
        pulso.flush(20)


main()
