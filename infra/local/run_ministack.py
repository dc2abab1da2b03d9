"""Starts MiniStack, the local AWS, on 127.0.0.1: one process, everything in memory, gone when it stops.

    python run_ministack.py PORT FOLDER [--until-stdin-ends]

FOLDER takes what it writes (unpacked functions, S3 objects). With --until-stdin-ends it stops with whoever started it. MiniStack reads its settings from the environment as it
is imported, so they are set first. A service that listens on a fixed port of its own (SFTP, MQTT) is switched off, so
that several of these can run side by side.
"""

import os
import pathlib
import signal
import socketserver
import sys
import threading


def settings(port: int, folder: pathlib.Path) -> dict[str, str]:
    """The environment that MiniStack, and with it every function it starts, gets."""
    return {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": "us-east-1",
        # Functions get this address as their AWS_ENDPOINT_URL. Without it they would call AWS itself.
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "LAMBDA_EXECUTOR": "local",
        "TMPDIR": str(folder / "tmp"),
        "S3_DATA_DIR": str(folder / "s3"),
        "STATE_DIR": str(folder / "state"),
        "PERSIST_STATE": "0",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        # Functions run as child processes, even where Docker is installed.
        "DOCKER_HOST": "unix:///nonexistent",
    }


def stop_when_stdin_ends() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    port, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    # The user's settings for AWS itself must not reach the functions.
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        os.environ.pop(name, None)
    os.environ.update(settings(port, folder))
    # The Runtime API is a plain http.server that answers in two small writes. With Nagle's algorithm each invocation
    # waits twice for the kernel's delayed acknowledgement, 40 ms a time.
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True
    if "--until-stdin-ends" in sys.argv:
        threading.Thread(target=stop_when_stdin_ends, daemon=True).start()
    sys.argv = sys.argv[:1]  # MiniStack reads the command line too

    from ministack.app import main as serve

    serve()


main()
