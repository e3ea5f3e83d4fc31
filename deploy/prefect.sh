#!/bin/sh
# Starts Prefect's server with the password from a file, which then stands in no process list.
set -eu
PREFECT_SERVER_API_AUTH_STRING=$(cat "$SECRETS/auth_string")
export PREFECT_SERVER_API_AUTH_STRING
exec prefect server start --host=0.0.0.0 --port=4200
