#!/usr/bin/env bash
# Deploys AeroAlpes to AWS or LocalStack. The local runtime deploys the same template by itself. See --help.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

usage() {
  cat <<'HELP'
Deploys AeroAlpes, or removes it, on AWS or on LocalStack.

  deploy.sh --artifacts DIR [options]
  deploy.sh --teardown [--delete-data] [options]

What to deploy
  --artifacts DIR         folder with a zip for each function: DIR/http-commands.zip, ... each with its `bootstrap` inside
  --stack NAME            name of the stack, and first part of every name in it   (default aeroalpes)
  --template FILE         (default template.yaml beside this script)

Where
  --endpoint URL          an emulator's address       (default $AWS_ENDPOINT_URL; AWS itself without either)
  --environment KIND      localstack or aws           (default aws without an endpoint, localstack with one)
  --bucket NAME           bucket for the zips, made if missing   (default STACK-artefactos-ACCOUNT-REGION)
  Region and credentials are those of the AWS CLI. An emulator gets us-east-1 and test/test where none are set.

How (each has a default that fits --environment)
  --access abierto|iam|jwt   access to the API               (aws: iam, otherwise abierto)
                          jwt needs --parameter Emisor=URL --parameter Audiencia=NAME: whose tokens, and for whom
  --arch x86_64|arm64     architecture of the functions      (default x86_64)
  --stream-mode ON_DEMAND|PROVISIONED   (aws: ON_DEMAND, otherwise PROVISIONED)
  --shards N              shards when PROVISIONED            (default 2)
  --batch-window SECONDS  how long a consumer waits to fill a batch   (aws: 1, otherwise 0)
  --archive-window SECONDS   the same for the archiver, which pays for each batch   (aws: 60, otherwise 1)
  --tests true|false      whether test endpoints are deployed: commands by hand, faults   (aws: false, otherwise true)
  --step-functions true|false   whether Step Functions can run sagas too   (aws: false, otherwise true)
  --log-level LEVEL       RUST_LOG of the functions          (default info)
  --parameter NAME=VALUE  any other parameter of the template; may be repeated
  --overlap MINUTES       when FanOut changes: how far back the new mappings begin to read the log. MINUTES must be more than the
                          IteratorAge of orchestrator and participants, or the records in between are never read
  --outputs FILE          also write the outputs there, as NAME=VALUE lines

Removing
  --teardown              delete the stack. Keeps the event log, the archive, the failures bucket, and all tables but the views
  --delete-data           with --teardown: delete these too. This cannot be undone

Needs bash and the AWS CLI (version 1 or 2; set AWS_CLI to use one that is not on the PATH).
HELP
}

fail() {
  printf 'deploy.sh: %s\n' "$*" >&2
  exit 1
}

misused() {
  printf 'deploy.sh: %s See deploy.sh --help.\n' "$*" >&2
  exit 2
}

stack=aeroalpes artifacts='' template="$here/template.yaml" endpoint="${AWS_ENDPOINT_URL:-}" environment='' bucket=''
access='' arch=x86_64 mode='' shards=2 window='' archive_window='' tests='' step_functions='' log_level=info outputs=''
teardown='' delete_data='' overlap='' fan_out=''
extra=()

while [ $# -gt 0 ]; do
  case "$1" in
    --help | -h) usage; exit 0 ;;
    --teardown) teardown=yes; shift; continue ;;
    --delete-data) delete_data=yes; shift; continue ;;
    --*) [ $# -ge 2 ] || misused "$1 needs a value." ;;
    *) misused "'$1' is not an option." ;;
  esac
  case "$1" in
    --stack) stack="$2" ;;
    --artifacts) artifacts="$2" ;;
    --template) template="$2" ;;
    --endpoint) endpoint="$2" ;;
    --environment) environment="$2" ;;
    --bucket) bucket="$2" ;;
    --access) access="$2" ;;
    --arch) arch="$2" ;;
    --stream-mode) mode="$2" ;;
    --shards) shards="$2" ;;
    --batch-window) window="$2" ;;
    --archive-window) archive_window="$2" ;;
    --tests) tests="$2" ;;
    --step-functions) step_functions="$2" ;;
    --log-level) log_level="$2" ;;
    --parameter)
      case "$2" in
        FanOut=*) fan_out="${2#*=}" ;;
        MappingsSince=*) misused "MappingsSince is set by --overlap." ;;
        *) extra+=("$2") ;;
      esac
      ;;
    --overlap) overlap="$2" ;;
    --outputs) outputs="$2" ;;
    *) misused "unknown option $1." ;;
  esac
  shift 2
done

case "$overlap" in *[!0-9]*) misused "--overlap is a number of minutes, not '$overlap'." ;; esac

# ---- Defaults by environment ----------------------------------------------------------------------------------------

[ -n "$environment" ] || { [ -n "$endpoint" ] && environment=localstack || environment=aws; }
case "$environment" in
  aws) : "${access:=iam}" "${mode:=ON_DEMAND}" "${window:=1}" "${tests:=false}" ;;
  localstack) : "${access:=abierto}" "${mode:=PROVISIONED}" "${window:=0}" "${tests:=true}" ;;
  *) misused "--environment is localstack or aws, not '$environment'." ;;
esac
[ "$environment/$access/$tests" != aws/abierto/true ] ||
  misused "--access abierto and --tests true together let anyone on the internet make participants fail: use --access iam."
if [ "$access" = jwt ]; then
  for name in Emisor Audiencia; do
    case " ${extra[*]-} " in
      *" $name="[!\ ]*) ;;
      *) misused "--access jwt needs --parameter $name=..., as the template's parameter $name says." ;;
    esac
  done
fi
[ "$environment" = aws ] && : "${archive_window:=60}" || : "${archive_window:=1}"
[ "$environment" = aws ] && : "${step_functions:=false}" || : "${step_functions:=true}"
if [ -n "$endpoint" ]; then
  export AWS_ENDPOINT_URL="$endpoint"
  export AWS_ACCESS_KEY_ID="${AWS_ACCESS_KEY_ID:-test}" AWS_SECRET_ACCESS_KEY="${AWS_SECRET_ACCESS_KEY:-test}"
  export AWS_DEFAULT_REGION="${AWS_DEFAULT_REGION:-${AWS_REGION:-us-east-1}}"
fi
export AWS_PAGER=''
cli="${AWS_CLI:-aws}"
command -v "$cli" >/dev/null || fail "the AWS CLI was not found. Install it (pip install awscli), or set AWS_CLI to its path."

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# Runs the AWS CLI, and writes its errors to $work/error, where the caller finds them.
aws_try() { "$cli" "$@" 2>"$work/error"; }
aws_do() { aws_try "$@" || fail "aws $1 $2 failed:$(tr '\n' ' ' <"$work/error")"; }

stack_status() {
  aws_try cloudformation describe-stacks --stack-name "$stack" --query 'Stacks[0].StackStatus' --output text && return
  grep -q 'does not exist' "$work/error" && echo NONE && return
  fail "cannot reach CloudFormation at ${endpoint:-AWS}:$(tr '\n' ' ' <"$work/error")"
}

# Waits until no operation on the stack is in progress, and sets $status to the stack's status.
settle() {
  local waited=0
  while status="$(stack_status)"; do
    case "$status" in *_IN_PROGRESS) ;; *) return ;; esac
    [ "$waited" -lt 1800 ] || fail "stack $stack is still $status after half an hour. Look at it in CloudFormation."
    if [ "$environment" = aws ]; then sleep 5; waited=$((waited + 5)); else sleep 0.2; waited=$((waited + 1)); fi
  done
  exit 1
}

explain_failure() {
  echo "deploy.sh: stack $stack ended as $status. What failed:" >&2
  "$cli" cloudformation describe-stack-events --stack-name "$stack" --output text \
    --query "StackEvents[?contains(ResourceStatus, 'FAILED')].[LogicalResourceId, ResourceStatusReason]" >&2 || true
}

account_and_region() {
  account="$(aws_do sts get-caller-identity --query Account --output text)"
  region="${AWS_REGION:-${AWS_DEFAULT_REGION:-$("$cli" configure get region || true)}}"
  [ -n "$region" ] || fail "no region. Set AWS_REGION, or run aws configure."
}

# ---- Removing -------------------------------------------------------------------------------------------------------

drop() { # drop LABEL command…: runs the command, which deletes one resource; succeeds if the resource does not exist
  local label="$1"
  shift
  if aws_try "$@" >/dev/null; then
    echo "deleted $label"
  elif ! grep -qiE 'NotFound|NoSuchBucket|does not exist' "$work/error"; then
    fail "could not delete $label:$(tr '\n' ' ' <"$work/error")"
  fi
}

# The tables that outlive the stack, by the template's DeletionPolicy.
kept_tables=(streams parked sagas seats ledger secrets reactions notices)

if [ -n "$teardown" ]; then
  settle
  if [ "$status" != NONE ]; then
    aws_do cloudformation delete-stack --stack-name "$stack"
    settle
    case "$status" in NONE | DELETE_COMPLETE) ;; *) explain_failure; exit 1 ;; esac
    echo "deleted stack $stack"
  fi
  if [ -n "$delete_data" ]; then
    account_and_region
    drop "stream $stack-eventos" kinesis delete-stream --stream-name "$stack-eventos" --enforce-consumer-deletion
    for table in "${kept_tables[@]}"; do
      drop "table $stack-$table" dynamodb delete-table --table-name "$stack-$table"
    done
    for name in "$stack-archivo-$account-$region" "$stack-fallidos-$account-$region" \
      "${bucket:-$stack-artefactos-$account-$region}"; do
      drop "bucket $name" s3 rb --force "s3://$name"
    done
  else
    echo "kept: stream $stack-eventos, the tables ${kept_tables[*]/#/$stack-}, and the buckets (--delete-data deletes them)"
  fi
  exit 0
fi

# ---- Deploying ------------------------------------------------------------------------------------------------------

[ -n "$artifacts" ] || misused "say where the built functions are: --artifacts DIR."
[ -d "$artifacts" ] || fail "$artifacts is not a folder. Build the functions first."
[ -f "$template" ] || fail "there is no template at $template."

mkdir "$work/artifacts"
cp "$template" "$work/template.yaml"
while read -r zip; do
  [ -f "$artifacts/$zip" ] || fail "$artifacts/$zip is missing: the template deploys it. Build the functions first."
  cp "$artifacts/$zip" "$work/artifacts/$zip"
done < <(sed -nE 's|^ *CodeUri: artifacts/([^ ]+) *$|\1|p' "$template")
while read -r definition; do
  [ -f "$(dirname "$template")/$definition" ] || fail "$definition is not beside $template, which deploys it."
  cp "$(dirname "$template")/$definition" "$work/$definition"
done < <(sed -nE 's|^ *DefinitionS3Location: ([^ ]+) *$|\1|p' "$template")

settle
case "$status" in
  CREATE_FAILED | ROLLBACK_COMPLETE | ROLLBACK_FAILED | DELETE_FAILED)
    fail "stack $stack is $status, which CloudFormation cannot update. Remove it with deploy.sh --teardown --stack $stack, then deploy again." ;;
esac

account_and_region
: "${bucket:=$stack-artefactos-$account-$region}"

# The source of an event source mapping cannot be changed: CloudFormation makes a new mapping, which begins where the
# template says. A mapping that begins at the log's beginning would read a year of records before any new record. So
# FanOut changes only with --overlap, which says where the new mapping begins.
since=0
case "$status" in
  NONE | DELETE_COMPLETE)
    [ -z "$overlap" ] || fail "--overlap is for a stack that exists, and $stack does not: its mappings begin at the log's beginning."
    : "${fan_out:=false}"
    ;;
  *)
    parameter_of_stack() {
      aws_do cloudformation describe-stacks --stack-name "$stack" --output text \
        --query "Stacks[0].Parameters[?ParameterKey=='$1'].ParameterValue"
    }
    had="$(parameter_of_stack FanOut)"
    since="$(parameter_of_stack MappingsSince)"
    : "${had:=false}" "${since:=0}" "${fan_out:=$had}"
    if [ "$fan_out" = "$had" ]; then
      [ -z "$overlap" ] || fail "--overlap is for a change of FanOut, which stack $stack has as '$had' already."
    elif [ -z "$overlap" ]; then
      fail "stack $stack has FanOut=$had, and FanOut=$fan_out would make new mappings for orchestrator and participants. From the beginning of the log they would read the whole log before any new record: no saga would continue meanwhile, and a reservation that waits for longer than a day would be cancelled. Leave FanOut out to keep it, or say how many minutes back the new mappings begin: --overlap 60, if the IteratorAge of these functions is well below an hour. Records that are read twice take effect once."
    else
      since=$(($(date +%s) - overlap * 60))
    fi
    ;;
esac

# If a --teardown without --delete-data has kept the data, a new stack would fail half-way. So look for old data first.
case "$status" in
  NONE | DELETE_COMPLETE)
    verb=create-stack
    "$cli" kinesis describe-stream-summary --stream-name "$stack-eventos" >/dev/null 2>&1 &
    look_for_data=$!
    ;;
  *) verb=update-stack look_for_data='' ;;
esac

if ! aws_try s3api head-bucket --bucket "$bucket" >/dev/null; then
  aws_do s3 mb "s3://$bucket" >/dev/null
fi
aws_do cloudformation package --template-file "$work/template.yaml" --s3-bucket "$bucket" --s3-prefix functions \
  --output-template-file "$work/packaged.yaml" >/dev/null

if [ -n "$look_for_data" ] && wait "$look_for_data"; then
  fail "there is no stack $stack, but the data of an earlier one still exists: the stream $stack-eventos, and tables. Deploy under another name (--stack), or import them into a stack with CloudFormation's resource import, or delete them for good: deploy.sh --teardown --delete-data --stack $stack"
fi

# CloudFormation accepts a template of up to 51,200 bytes directly, and reads a larger one from the bucket.
if [ "$(wc -c <"$work/packaged.yaml")" -le 51200 ]; then
  source=(--template-body "file://$work/packaged.yaml")
else
  aws_do s3 cp "$work/packaged.yaml" "s3://$bucket/template.yaml" >/dev/null
  url="$(aws_do s3 presign "s3://$bucket/template.yaml")"
  source=(--template-url "${url%%\?*}")
fi

parameters=()
for pair in "Entorno=$environment" "Acceso=$access" "Architecture=$arch" "LogLevel=$log_level" "StreamMode=$mode" \
  "ShardCount=$shards" "BatchWindowSeconds=$window" "ArchiveWindowSeconds=$archive_window" \
  "Pruebas=$tests" "StepFunctions=$step_functions" "FanOut=$fan_out" "MappingsSince=$since" ${extra[@]+"${extra[@]}"}; do
  # In the CLI's shorthand, commas and braces would end a value that is not quoted.
  value="${pair#*=}"
  case "$value" in *[,\'\"\{\}\[\]]*)
    value="${value//\\/\\\\}"
    value="'${value//\'/\\\'}'"
    ;;
  esac
  parameters+=("ParameterKey=${pair%%=*},ParameterValue=$value")
done

request=(--stack-name "$stack" "${source[@]}" --parameters "${parameters[@]}"
  --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND)

if aws_try cloudformation "$verb" "${request[@]}" >/dev/null; then
  settle
  case "$status" in CREATE_COMPLETE | UPDATE_COMPLETE) ;; *) explain_failure; exit 1 ;; esac
elif grep -q 'No updates are to be performed' "$work/error"; then
  echo "nothing to change in stack $stack" >&2
else
  fail "aws cloudformation $verb failed:$(tr '\n' ' ' <"$work/error")"
fi

aws_do cloudformation describe-stacks --stack-name "$stack" --output text \
  --query 'Stacks[0].Outputs[].[OutputKey, OutputValue]' | tr '\t' '=' | sort >"$work/outputs"
cat "$work/outputs"
[ -z "$outputs" ] || cp "$work/outputs" "$outputs"
