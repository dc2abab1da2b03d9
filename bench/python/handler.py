"""POST /vuelos/reserva as a plain boto3 handler would do it: check the body, put the event if it is new, put the record.

Clients are made once, outside of the handler. It does less than ours: it marks nothing as published, so a crash between its
two calls loses the record; it stores no receipt, so a repeated request reserves twice; it checks little.
"""

import json
import os
import uuid
from datetime import datetime, timezone

import boto3

TABLE = os.environ["ALPES_STREAMS_TABLE"]
STREAM = os.environ["ALPES_EVENTS_STREAM"]
dynamodb = boto3.client("dynamodb")
kinesis = boto3.client("kinesis")


def valid(body: dict) -> bool:
    for itinerary in body["itinerarios"]:
        for odo in itinerary["odos"]:
            for segment in odo["segmentos"]:
                for leg in segment["legs"]:
                    if leg["origen"]["codigo"] == leg["destino"]["codigo"]:
                        return False
                    if datetime.fromisoformat(leg["fecha_salida"].replace("Z", "+00:00")) >= datetime.fromisoformat(
                        leg["fecha_llegada"].replace("Z", "+00:00")
                    ):
                        return False
    return bool(body["itinerarios"])


def handle(event: dict, _context: object) -> dict:
    body = json.loads(event["body"])
    if not valid(body):
        return {"statusCode": 400, "body": "{}"}
    reservation, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    text = json.dumps(
        {
            "specversion": "1.0",
            "id": str(uuid.uuid4()),
            "source": "/aeroalpes/vuelos",
            "type": "ReservaCreada",
            "subject": reservation,
            "time": now,
            "datacontenttype": "application/json",
            "dataschema": "urn:aeroalpes:esquema:vuelos:ReservaCreada:v2",
            "stream": f"reserva-{reservation}",
            "streamversion": 1,
            "correlationid": correlation,
            "causationid": str(uuid.uuid4()),
            "sagamode": "orquestacion",
            "data": {
                "id_reserva": reservation,
                "estado": "Pendiente",
                "fecha_creacion": now,
                "itinerarios": body["itinerarios"],
            },
        }
    )
    dynamodb.put_item(
        TableName=TABLE,
        Item={
            "pk": {"S": f"reserva-{reservation}"},
            "sk": {"S": "stream"},
            "version": {"N": "1"},
            "events": {"L": [{"S": text}]},
        },
        ConditionExpression="attribute_not_exists(pk)",
    )
    kinesis.put_record(StreamName=STREAM, PartitionKey=reservation, Data=text.encode())
    return {
        "statusCode": 202,
        "headers": {"Content-Type": "application/json", "Location": f"reserva/{reservation}"},
        "body": json.dumps({"id_reserva": reservation, "id_correlacion": correlation, "estado": "Pendiente"}),
    }
