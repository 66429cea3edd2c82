import path from 'node:path';

/** The native code that a server runs, read off what its processes have mapped, so that no server need be believed. */
export interface NativeLibraries {
  /** `prebuilt NAME`, from an npm package; `local`, compiled on this machine; `unknown` where the system does not say. */
  readonly build: string;
  /** Whether an OpenMP runtime is loaded: llama.cpp's own thread pool computes otherwise. */
  readonly hasOpenMp: boolean;
  /** Names of ggml's device libraries. */
  readonly devices: readonly string[];
}

/** Reads the list of mapped files. */
export function describeLibraries(files: readonly string[]): NativeLibraries {
  const native = files.filter((file) => /(?:ggml|llama)[^/]*\.(?:node|so[\d.]*|dylib|dll)$/.test(file));
  const packageName = native.map((file) => /\/@node-llama-cpp\/([^/]+)\//.exec(file)?.[1]).find((name) => name !== undefined);
  const devices = native.map((file) => path.basename(file)).filter((name) => /ggml-(?!base)/.test(name));
  return {
    build: native.length === 0 ? 'unknown' : packageName === undefined ? 'local' : `prebuilt ${packageName}`,
    hasOpenMp: files.some((file) => /\/lib(?:gomp|omp|iomp5)[^/]*\.(?:so|dylib)/.test(file)),
    devices: [...new Set(devices)].toSorted(),
  };
}
