#!/usr/bin/env bash
# LocalStack runs this once it is ready. It deploys the functions that were built before, or fails and says what to do.
set -euo pipefail

root="${ALPES_ROOT:-/aeroalpes}"
arch="${ALPES_ARCH:-x86_64}"

if [ "${ALPES_DEPLOY_ON_START:-yes}" = no ]; then
  echo "AeroAlpes: this hook does not deploy, because ALPES_DEPLOY_ON_START is no."
  exit 0
fi

if ! ls "$root/build/lambda-$arch"/*.zip >/dev/null 2>&1; then
  cat >&2 <<TEXT
AeroAlpes was NOT deployed: .local/build/lambda-$arch has no functions built for $arch.
On your machine, in the project's folder, run

    cargo xtask up --on localstack

which builds them, starts this container and deploys. After that, docker compose up is enough.
TEXT
  exit 1
fi

if ! command -v aws >/dev/null; then
  export AWS_CLI=awslocal
fi
exec bash "$root/infra/deploy.sh" --endpoint "http://localhost:${GATEWAY_LISTEN_PORT:-4566}" --environment localstack \
  --arch "$arch" --artifacts "$root/build/lambda-$arch"
