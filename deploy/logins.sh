#!/bin/sh
# Runs logins.sql as the owner: logins.sh HOST. The password of the owner is in no argument.
set -eu
# An outside PostgreSQL has the logins that its owner made.
if [ -n "${DATABASE_URL:-}" ]; then
    exit
fi
PGPASSWORD=$(cat "$SECRETS/postgres_password")
export PGPASSWORD
exec psql --no-psqlrc --quiet --host="$1" --username=owner --dbname=p2p \
    --file="$(dirname "$0")/logins.sql"
