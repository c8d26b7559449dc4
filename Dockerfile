# One image: `docker run -p 8000:8000 -v guardflow:/data guardflow` is a gateway with servers of its own;
# with DATABASE_URL and REDIS_URL it is one of many.

FROM python:3.13-slim-bookworm AS build
WORKDIR /src
# For the classifiers' kernel; what is built stays behind in this stage.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/guardflow
ENV PATH=/opt/guardflow/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# Dependencies first: they change seldom, and the layer is kept as long as the lock file is the same.
COPY requirements.txt .
RUN pip install --require-hashes --no-deps -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY guardflow guardflow
COPY gateway gateway
COPY classifiers classifiers
COPY admin admin
COPY migrations migrations
RUN pip install --no-deps --no-build-isolation .

FROM python:3.13-slim-bookworm
# Postgres wants an account with a name; nothing here needs root.
RUN useradd --uid 10001 --create-home guardflow \
    && install -d -m 0700 -o guardflow -g guardflow /data
COPY --from=build /opt/guardflow /opt/guardflow
ENV PATH=/opt/guardflow/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    API_HOST=0.0.0.0 API_PORT=8000 DATA_DIR=/data LOG_FORMAT=json
USER guardflow
WORKDIR /home/guardflow
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['API_PORT'] + '/ready', timeout=2)"]
ENTRYPOINT ["guardflow"]
CMD ["serve"]
