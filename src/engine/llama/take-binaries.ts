import { registerHooks } from 'node:module';

/**
 * Makes node-llama-cpp take its prebuilt CUDA binaries from another folder, in this process.
 * It asks its package of them for the folder, and loads CUDA 12's library where that folder has no other.
 */
export function takeBinariesFrom(folder: string): void {
  registerHooks({
    resolve: (specifier, context, next) => {
      const resolved = next(specifier, context);
      if (!/^@node-llama-cpp\/[^/]+-cuda$/.test(specifier)) return resolved;
      const source = `import { getBinsDir as own } from ${JSON.stringify(resolved.url)};
        export const getBinsDir = () => ({ ...own(), binsDir: ${JSON.stringify(folder)} });`;
      return { url: `data:text/javascript,${encodeURIComponent(source)}`, shortCircuit: true };
    },
  });
}
