"""The Lambda runtime loop in plain Python: imports the handler, then asks for events until it is ended.

Lambda's own Python runtime does the same with a small C library for the HTTP calls; http.client on one kept connection is
the standard library's nearest to it.
"""

import http.client
import json
import os

import handler

API = "/2018-06-01/runtime/invocation/"


def main() -> None:
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        connection.request("GET", API + "next")
        response = connection.getresponse()
        event = json.loads(response.read())
        request = response.headers["Lambda-Runtime-Aws-Request-Id"]
        try:
            kind, body = "response", handler.handle(event, None)
        except Exception as error:  # noqa: BLE001: what the runtime does
            kind, body = "error", {"errorType": type(error).__name__, "errorMessage": str(error)}
        connection.request("POST", f"{API}{request}/{kind}", json.dumps(body), {"Content-Type": "application/json"})
        connection.getresponse().read()


main()
