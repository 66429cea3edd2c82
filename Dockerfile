# Osler in a container. docs/operations.md says how to run it; compose.yaml is ready to use.
#
#   docker build --target cpu -t osler:cpu .              serving, evaluation and the demo's training, without a GPU
#   docker build --target cuda -t osler:cuda .            the same with llama.cpp on CUDA 13 (driver 580 or newer; x64)
#   docker build --target cuda-train -t osler:cuda-train .  that, with the training stack for CUDA inside (about 9 GB more)
#
# Base images are pinned to a patch release. Their digests could not be looked up where this file was written:
# pin them in your own build if it has to be the same to the byte.

# ---- compiled sources -------------------------------------------------------------------------------------------
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# Without scripts: the only ones fetch a second Node and compile llama.cpp, and neither is needed here.
RUN npm ci --ignore-scripts --no-audit --no-fund && rm -rf node_modules/node node_modules/.bin/node
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

# ---- packages to run with ---------------------------------------------------------------------------------------
FROM node:24.21.0-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && rm -rf node_modules/node node_modules/.bin/node

# npm installs llama.cpp's binaries for every processor and GPU: more than 600 MB that the CPU has no use for.
FROM packages AS packages-cpu
RUN keep="linux-$(node -p process.arch)" && test -d "node_modules/@node-llama-cpp/${keep}" \
  && find node_modules/@node-llama-cpp -mindepth 1 -maxdepth 1 ! -name "${keep}" -exec rm -rf {} +

# linux-x64-cuda-ext is what older drivers fall back to.
FROM packages AS packages-cuda
RUN test -d node_modules/@node-llama-cpp/linux-x64-cuda \
  && find node_modules/@node-llama-cpp -mindepth 1 -maxdepth 1 ! -name linux-x64 ! -name 'linux-x64-cuda*' -exec rm -rf {} +

# ---- files that every image has ---------------------------------------------------------------------------------
FROM node:24.21.0-bookworm-slim AS files
WORKDIR /app
COPY package.json LICENSE ./
COPY bin ./bin
COPY python ./python
COPY models ./models
COPY benchmarks ./benchmarks
COPY data ./data
COPY --from=build /app/dist ./dist

# ---- CUDA -------------------------------------------------------------------------------------------------------
FROM nvidia/cuda:13.0.2-runtime-ubuntu24.04 AS cuda
# Versions of Ubuntu packages are not pinned: its mirrors drop the old ones, and the base image fixes the release.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates git python3 python3-venv tini \
  && rm -rf /var/lib/apt/lists/*
# Home is the cache, so that what libraries write beside their users' files lands there too.
RUN groupadd --gid 10001 osler \
  && useradd --uid 10001 --gid osler --no-create-home --home-dir /cache --shell /usr/sbin/nologin osler \
  && install -d -o osler -g osler -m 0750 /data /cache /cache/tmp
COPY --from=files /usr/local/bin/node /usr/local/bin/node
COPY --from=files /app /app
COPY --from=packages-cuda /app/node_modules /app/node_modules
ENV NODE_ENV=production \
    OSLER_HOME=/data \
    OSLER_VENV=/cache/venv \
    HF_HOME=/cache/huggingface \
    PIP_CACHE_DIR=/cache/pip \
    TMPDIR=/cache/tmp
WORKDIR /data
USER 10001:10001
VOLUME ["/data", "/cache"]
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/livez').then((reply) => process.exit(reply.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["tini", "--", "node", "/app/bin/osler.js"]
CMD ["serve", "--host", "0.0.0.0"]

# ---- CUDA with the training stack inside ------------------------------------------------------------------------
FROM cuda AS cuda-train
ARG TORCH_INDEX=https://download.pytorch.org/whl/cu130
USER 0
# Triton compiles its launchers when a kernel first runs: it needs a C compiler and Python's headers.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends gcc libc6-dev python3-dev \
  && rm -rf /var/lib/apt/lists/*
# "provided" tells osler that this environment is complete as it is.
RUN python3 -m venv /opt/osler-venv \
  && /opt/osler-venv/bin/pip install --no-cache-dir --extra-index-url "${TORCH_INDEX}" -r /app/python/requirements-cuda.txt \
  && /opt/osler-venv/bin/pip install --no-cache-dir --no-deps -r /app/python/requirements-cuda-unsloth.txt \
  && printf provided > /opt/osler-venv/osler-requirements.sha256
ENV OSLER_VENV=/opt/osler-venv \
    UNSLOTH_COMPILE_LOCATION=/cache/unsloth
USER 10001:10001

# ---- CPU, the default -------------------------------------------------------------------------------------------
FROM node:24.21.0-bookworm-slim AS cpu
# As above: Debian's mirrors drop old versions too.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates git python3 python3-venv tini \
  && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 10001 osler \
  && useradd --uid 10001 --gid osler --no-create-home --home-dir /cache --shell /usr/sbin/nologin osler \
  && install -d -o osler -g osler -m 0750 /data /cache /cache/tmp
COPY --from=files /app /app
COPY --from=packages-cpu /app/node_modules /app/node_modules
# torch for the CPU is a fifth of the size of PyPI's.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV NODE_ENV=production \
    OSLER_GPU=off \
    PIP_EXTRA_INDEX_URL=${TORCH_INDEX} \
    OSLER_HOME=/data \
    OSLER_VENV=/cache/venv \
    HF_HOME=/cache/huggingface \
    PIP_CACHE_DIR=/cache/pip \
    TMPDIR=/cache/tmp
WORKDIR /data
USER 10001:10001
VOLUME ["/data", "/cache"]
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/livez').then((reply) => process.exit(reply.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["tini", "--", "node", "/app/bin/osler.js"]
CMD ["serve", "--host", "0.0.0.0"]
