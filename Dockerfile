# syntax=docker/dockerfile:1

# The first stage builds the wheel and installs it, with the exact versions that the tests ran on, into one folder.
FROM python:3.13-slim-trixie AS build

WORKDIR /src
# hadolint ignore=DL3008  # it leaves nothing of itself in the image, and Debian keeps only one version at a time
RUN apt-get update && apt-get install --yes --no-install-recommends binutils gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN python -m venv /build \
    && /build/bin/python -m pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/build.txt \
    && python -m venv --without-pip /app \
    && /build/bin/python -m pip --python /app/bin/python install --no-cache-dir --no-compile \
        --require-hashes --only-binary :all: -r requirements/runtime.txt

COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY corsproxy/ corsproxy/
# What every request goes through becomes machine code.  Bytecode of the rest is made here, because the program may run on a read-only file system; by hash, because copying may change times.
RUN CORSPROXY_COMPILE=1 /build/bin/python -m pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist . \
    && /build/bin/python -m pip --python /app/bin/python install --no-cache-dir --no-compile --no-deps /dist/*.whl \
    && /app/bin/python -m compileall -q --invalidation-mode unchecked-hash /app/lib

COPY deploy/image/gather.py ./
RUN python gather.py /app /image

# The second stage is that folder, Python, and the libraries of both: no shell, no package manager, nothing to write to,
# and nobody in particular to be.
FROM scratch

LABEL org.opencontainers.image.title="corsproxy" \
      org.opencontainers.image.description="A reverse proxy that adds CORS to APIs which lack it" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"

# The two addresses are for who has no file: whoever mounts /etc/corsproxy/config.yaml says them there.
ENV PATH=/app/bin \
    CORSPROXY_LISTEN=0.0.0.0:8080 \
    CORSPROXY_ADMIN=127.0.0.1:9901 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

COPY --from=build /image /

USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["corsproxy", "healthcheck"]
ENTRYPOINT ["corsproxy"]
CMD ["serve"]
