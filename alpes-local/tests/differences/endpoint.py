"""One endpoint: its clients, and the calls on it."""

import contextlib
import io
import re
import time
import urllib.error
import urllib.request
import uuid
import zipfile
from pathlib import Path
from typing import Any, cast

import boto3
import jmespath  # type: ignore[import-untyped]
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from answers import NOT_YET, Answer, as_json, comparable
from calls import Call

HERE = Path(__file__).parent
STACK = "differences"
PATIENCE_SECONDS = 20
DEPLOYING_SECONDS = 120
NO_ANSWER = "(no answer)"


class Endpoint:
    """An endpoint, and what calls on it have kept."""

    def __init__(self, url: str, api: str | None) -> None:
        self.url = url.rstrip("/")
        self.run = f"d{uuid.uuid4().hex[:8]}"
        self.kept: dict[str, Any] = {"run": self.run, "zip": function_zip()}
        if api is not None:
            self.kept["api"] = api.rstrip("/")
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = boto3.client(
                cast(Any, service),
                endpoint_url=self.url,
                region_name="us-east-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(
                    # Calls that fail must reach the endpoint, and only once.
                    parameter_validation=False,
                    retries={"total_max_attempts": 1},
                    read_timeout=60,
                    s3={"addressing_style": "path"},
                ),
            )
        return self._clients[service]

    def prepare(self) -> None:
        """Deploys the template, unless its function is there."""
        try:
            self.client("lambda").get_function(FunctionName="differences-echo")
        except ClientError:
            self._deploy()
        if "api" not in self.kept:
            self.kept["api"] = self._api_address()

    def _deploy(self) -> None:
        bucket = f"{self.run}-code"
        self.client("s3").create_bucket(Bucket=bucket)
        self.client("s3").put_object(Bucket=bucket, Key="function.zip", Body=self.kept["zip"])
        template = (HERE / "template.yaml").read_text()
        template = template.replace("CodeUri: function/", f"CodeUri: s3://{bucket}/function.zip")
        template = without_aliases(template)
        stacks = self.client("cloudformation")
        stacks.create_stack(
            StackName=STACK,
            TemplateBody=template,
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        deadline = time.monotonic() + DEPLOYING_SECONDS
        while (status := stacks.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"]).endswith("PROGRESS"):
            if time.monotonic() > deadline:
                break
            time.sleep(0.5)
        if status != "CREATE_COMPLETE":
            raise SystemExit(f"the template at {self.url} ended as {status}")

    def _api_address(self) -> str:
        """LocalStack's address of the API; the short one of alpes-local where there is no stack."""
        with contextlib.suppress(ClientError, BotoCoreError):
            stack = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
            outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
            return f"{self.url}/_aws/execute-api/{outputs['ApiId']}/v1"
        return self.url

    def answer(self, call: Call) -> Answer:
        """Makes a call, and keeps what it says to keep. The answer is comparable."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        answer = self._once(call)
        while call.until and not jmespath.search(call.until, answer.body):
            if time.monotonic() > deadline:
                answer = Answer(
                    answer.status,
                    answer.code,
                    NOT_YET + call.until,
                    answer.body,
                )
                break
            time.sleep(0.2)
            answer = self._once(call)
        for name, path in call.keep.items():
            self.kept[name] = jmespath.search(path, answer.body)
        replaced = self._replaced()
        return Answer(
            answer.status,
            answer.code,
            str(comparable(answer.message, replaced)),
            comparable(answer.body, replaced, is_unordered=call.is_unordered),
        )

    def _once(self, call: Call) -> Answer:
        parameters = self._filled(call.parameters)
        if call.operation == "http":
            return self._http(**parameters)
        try:
            body = getattr(self.client(call.service), call.operation)(**parameters)
        except ClientError as error:
            return of_error(cast(dict[str, Any], error.response))
        except BotoCoreError as error:
            return Answer(0, NO_ANSWER, str(error), None)
        status = body.pop("ResponseMetadata")["HTTPStatusCode"]
        for name, value in body.items():
            if hasattr(value, "read"):
                body[name] = value.read()
        return Answer(status, "", "", body)

    def _http(
        self,
        method: str,
        path: str,
        body: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        url = path if path.startswith("http") else self.url + path
        data = None if body is None else body.encode()
        request = urllib.request.Request(url, data=data, headers=headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return Answer(response.status, "", "", as_json(response.read().decode()))
        except urllib.error.HTTPError as error:
            text = error.read().decode()
            code = re.search(r"<Code>([^<]+)</Code>", text)
            return Answer(error.code, code[1] if code else "", "", as_json(text))
        except OSError as error:
            return Answer(0, NO_ANSWER, str(error), None)

    def _filled(self, value: Any) -> Any:
        match value:
            case dict():
                return {self._filled(key): self._filled(item) for key, item in value.items()}
            case list():
                return [self._filled(item) for item in value]
            case str() if re.fullmatch(r"\$[a-z_]+", value):
                return self.kept.get(value[1:])
            case str():
                return re.sub(r"\$\{([a-z_]+)\}", lambda name: str(self.kept.get(name[1])), value)
            case _:
                return value

    def _replaced(self) -> dict[str, str]:
        host = self.url.split("//", 1)[-1]
        port = host.rsplit(":", 1)[-1]
        addresses = {
            str(self.kept.get("api")): "<api>",
            self.url: "<endpoint>",
            host: "<host>",
            f"http://sqs.us-east-1.localhost.localstack.cloud:{port}": "<endpoint>",
        }
        return {self.run: "<run>"} | {text: name for text, name in addresses.items() if text}


def of_error(response: dict[str, Any]) -> Answer:
    """An error of boto3."""
    error = response.get("Error", {})
    known = ("Error", "Message", "ResponseMetadata", "message")
    members = {name: value for name, value in response.items() if name not in known}
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    return Answer(status, error.get("Code", ""), error.get("Message", ""), members)


def function_zip() -> bytes:
    """The function's code. The time is fixed, so that the zip is always the same."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap", date_time=(2026, 1, 1, 0, 0, 0))
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, (HERE / "function" / "bootstrap").read_bytes())
    return memory.getvalue()


def without_aliases(template: str) -> str:
    """The template without YAML aliases, which CloudFormation refuses."""
    anchor = re.search(r"( *)x-amazon-apigateway-any-method: &echo\n((?:\1  .*\n)+)", template)
    if anchor is None:
        raise SystemExit("template.yaml has no anchor named echo")
    indent, method = anchor[1], anchor[2]
    template = template.replace(": &echo\n", ":\n")
    return re.sub(
        rf"{indent}get: \*echo\n",
        f"{indent}get:\n{method}".replace("\\", "\\\\"),
        template,
    )
