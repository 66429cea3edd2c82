import { describe, expect, it } from 'vitest';
import { describeLibraries } from '../../../benchmarks/serve/native-libraries.ts';

describe('describeLibraries', () => {
  it('tells a prebuilt engine with its package, its processor library and its own threads', () => {
    const folder = '/app/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64';
    const files = [
      `${folder}/llama-addon.node`,
      `${folder}/libggml-base.so`,
      `${folder}/libggml-cpu-haswell.so`,
      '/usr/lib/libc.so.6',
      '/data/ggml.gguf',
    ];
    expect(describeLibraries(files)).toEqual({ build: 'prebuilt linux-x64', hasOpenMp: false, devices: ['libggml-cpu-haswell.so'] });
  });

  it('tells a local build with OpenMP', () => {
    const files = ['/cache/bin/libllama.so.0.5.0', '/cache/bin/libggml-cpu.so.0.25.1', '/usr/lib/x86_64-linux-gnu/libgomp.so.1.0.0'];
    expect(describeLibraries(files)).toEqual({ build: 'local', hasOpenMp: true, devices: ['libggml-cpu.so.0.25.1'] });
  });

  it('claims nothing where the system lists no files', () => {
    expect(describeLibraries([])).toEqual({ build: 'unknown', hasOpenMp: false, devices: [] });
  });
});
