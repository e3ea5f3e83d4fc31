# The worker, and what else of docker-compose.yml runs the project: from the lock, with its hashes,
# and from wheels only. Names no user: 10001 is nobody's on the host.
FROM python:3.11.13-slim-bookworm AS build
WORKDIR /app
COPY requirements.lock pyproject.toml ./
RUN python -m venv .venv
# The installer is the lock's own, with its hashes too.
RUN sed -n '/^uv==/,/[^\\]$/p' requirements.lock > uv.lock \
    && .venv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --no-input --require-hashes --only-binary :all: -r uv.lock \
    && rm uv.lock
# What the project needs to run and to write to buckets; of the tools of its developers only what builds it.
RUN sed -n '/^setuptools==/,/[^\\]$/p' requirements.lock > tools.txt \
    && VIRTUAL_ENV=.venv .venv/bin/uv pip install --quiet --no-cache --require-hashes --no-build -c requirements.lock -r pyproject.toml --extra buckets -r tools.txt \
    && rm tools.txt
COPY . .
RUN VIRTUAL_ENV=.venv .venv/bin/uv pip install --quiet --no-cache --no-deps --no-build-isolation --editable .
RUN VIRTUAL_ENV=.venv .venv/bin/uv pip uninstall --quiet setuptools pip uv
RUN .venv/bin/python -m compileall -q -j 0 .venv/lib warehouse ops load upkeep flows cli expectations report forecast

FROM python:3.11.13-slim-bookworm
ENV HOME=/var/lib/p2p USER=p2p PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false \
    P2P_HOME=/var/lib/p2p PATH=/app/.venv/bin:/usr/local/bin:/usr/bin:/bin
WORKDIR /app
COPY --from=build /app /app
# A named volume takes its owner from the folder that it is mounted over.
RUN for folder in /var/lib/p2p /var/lib/prefect /run/secrets/p2p \
        /run/made/admin /run/made/postgres /run/made/redis /run/made/worker /run/made/grafana \
        /run/made/prefect; do \
        install -d -m 0755 -o 10001 -g 10001 "$folder"; \
    done
USER 10001:10001
CMD ["p2p", "serve"]
