#!/bin/sh
# Makes the random secrets that services share, each in the folder of whom it is for, and keeps those
# that are there: secrets.sh FOLDER. One of your own comes by standard input, and replaces what is there:
# secrets.sh FOLDER FILE. Nothing is printed, and nothing is an argument of a process.
set -eu
umask 0222
folder=$1

random() {
    head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n'
}

# put FILE TEXT: write it, whole or not at all.
put() {
    rm -f "$folder/$1.new"
    printf '%s' "$2" > "$folder/$1.new"
    mv -f "$folder/$1.new" "$folder/$1"
}

# keep FILE TEXT: write it unless it is there.
keep() {
    if [ ! -s "$folder/$1" ]; then
        put "$1" "$2"
    fi
}

if [ $# -gt 1 ]; then
    given=$(cat)
    if [ -z "$given" ]; then
        echo "secrets.sh: nothing came by standard input" >&2
        exit 2
    fi
    put "$2" "$given"
    exit
fi

keep admin/postgres_password "$(random)"
keep admin/worker_password "$(random)"
keep admin/analyst_password "$(random)"
keep redis/password "$(random)"
keep grafana/admin_password "$(random)"
keep prefect/auth_string "p2p:$(random)"

# What others need of these. The names of hosts and logins are those of docker-compose.yml.
keep postgres/postgres_password "$(cat "$folder/admin/postgres_password")"
owner="postgresql://owner:$(cat "$folder/admin/postgres_password")@postgres:5432/p2p?sslmode=disable"
worker="postgresql://worker:$(cat "$folder/admin/worker_password")@postgres:5432/p2p?sslmode=disable"
# An outside PostgreSQL, where .env names one: at each start as it is then.
put admin/database_url "${DATABASE_URL:-$owner}"
put worker/database_url "${DATABASE_URL:-$worker}"
keep worker/prefect_auth_string "$(cat "$folder/prefect/auth_string")"
keep grafana/analyst_password "$(cat "$folder/admin/analyst_password")"
keep redis/redis.conf "requirepass $(cat "$folder/redis/password")
"
keep worker/redis_url "redis://:$(cat "$folder/redis/password")@redis:6379/0"
