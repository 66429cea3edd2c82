#!/usr/bin/env bash
# Unpacks the parts of pack.ts on a CUDA host and writes TARGET/env.sh, to be sourced before anything else:
#   bash scripts/gpu/set-up.sh PARTS TARGET        # from the root of a checkout, whose node_modules it fills
set -euo pipefail
parts=$1
target=$(mkdir -p "$2" && cd "$2" && pwd)
checkout=$PWD
find "$parts" -name part | sort | xargs cat | tar -x -J -C "$target"
rm -rf "$checkout/node_modules"
mv "$target/node_modules" "$checkout/node_modules"

mkdir -p "$target/bin" "$target/home/cache"
printf '#!/bin/sh\nexec "%s/node_modules/node/bin/node" "$@"\n' "$checkout" >"$target/bin/node"
printf '#!/bin/sh\nexec "%s/bin/node" "%s/npm/bin/npm-cli.js" "$@"\n' "$target" "$target" >"$target/bin/npm"
printf '#!/bin/sh\nexec "%s/bin/node" "%s/bin/osler.js" "$@"\n' "$target" "$checkout" >"$target/bin/osler"
chmod +x "$target"/bin/*
# The converter comes from the same sources as the engine.
version=$("$target/bin/node" -p "require('$checkout/node_modules/node-llama-cpp/package.json').version")
ln -sfn "$checkout/node_modules/node-llama-cpp/llama/llama.cpp" "$target/home/cache/llama.cpp-node-llama-cpp-$version"

# An environment that sees the host's own torch and the packages that were brought.
python3 -m venv --without-pip "$target/venv"
site=$("$target/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
printf '%s\n' "$target/site" >"$site/osler.pth"
python3 -c 'import site, sysconfig; print("\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()}))' >>"$site/osler.pth"
printf provided >"$target/venv/osler-requirements.sha256"

cat >"$target/env.sh" <<ENV
export PATH="$target/bin:\$PATH"
export OSLER_HOME="$target/home" OSLER_VENV="$target/venv" HF_HUB_OFFLINE=1
ENV
echo "ready: . $target/env.sh"
