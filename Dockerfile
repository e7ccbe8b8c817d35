# The image of the service. `docker compose build` makes it; docs/operations.md says how to run it alone.
FROM python:3.11.14-slim-bookworm AS python

FROM python AS build
ENV PIP_CACHE_DIR=/var/cache/pip PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# The environment gets no pip of its own: that of this stage installs into it, and stays behind.
RUN python -m venv --without-pip /opt/retryscope
COPY requirements.lock ./
# Nothing is resolved anew (--no-deps): the lock names all that is needed, and a newer day's index has something else.
RUN --mount=type=cache,target=/var/cache/pip \
    pip --python /opt/retryscope install --no-deps --require-hashes --only-binary :all: -r requirements.lock
# What builds the console's page stays behind as well.
COPY requirements-node.lock ./
RUN --mount=type=cache,target=/var/cache/pip \
    pip install --no-deps --require-hashes --only-binary :all: --target .node -r requirements-node.lock
COPY pyproject.toml README.md LICENSE ./
COPY scripts/build_page.py scripts/
COPY instrumentation instrumentation
COPY service service
COPY web web
COPY deploy/alertmanager deploy/alertmanager
COPY deploy/prometheus deploy/prometheus
COPY docs/runbook.md docs/
# The build backend is pinned by the lock too, so it is in the environment, until the wheel is built.
RUN --mount=type=cache,target=/var/cache/npm \
    /opt/retryscope/bin/python -m hatchling build --target wheel --directory /dist \
    && cd service \
    && npm_config_cache=/var/cache/npm /opt/retryscope/bin/python -m hatchling build --target wheel --directory /dist \
    && pip --python /opt/retryscope install --no-deps --no-index /dist/*.whl \
    && pip --python /opt/retryscope uninstall --yes hatchling \
    && pip --python /opt/retryscope check

FROM python
ARG VERSION=development
LABEL org.opencontainers.image.title="Retryscope" \
    org.opencontainers.image.description="Attempts, backoffs, timeouts and cancellations of asyncio code, made visible" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.version="${VERSION}"
COPY --from=build /opt/retryscope /opt/retryscope
# A volume that is mounted here for the first time becomes the user's, who can then make secrets in it.
RUN mkdir -p /run/secrets && chown 65532:65532 /run/secrets
# Beyond its own machine the service starts with an API token only: give it as /run/secrets/retryscope_api_token.
ENV PATH=/opt/retryscope/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    RETRYSCOPE_HOST=0.0.0.0 \
    RETRYSCOPE_PORT=8080
WORKDIR /
USER 65532:65532
EXPOSE 8080 8081 8082
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"RETRYSCOPE_PORT\"]}/health/live', timeout=3)"]
ENTRYPOINT ["retryscope"]
CMD ["serve"]
