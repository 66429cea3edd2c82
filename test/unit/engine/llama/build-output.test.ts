import { describe, expect, it } from 'vitest';
import { failureIn, progressIn } from '../../../../src/engine/llama/build-output.ts';

describe('progressIn', () => {
  it.each([
    ['[12/153] Building CXX object CMakeFiles/llama-addon.dir/addon/AddonModel.cpp.o', { done: 12, total: 153 }],
    ['[ 12%] Building CUDA object ggml/src/ggml-cuda/CMakeFiles/ggml-cuda.dir/acc.cu.o', { done: 12, total: 100 }],
    ['[100%] Linking CXX shared library Release/llama-addon.node', { done: 100, total: 100 }],
    ['-- Found OpenMP: TRUE (found version "4.5")', undefined],
    ['[node-llama-cpp] Compiling llama.cpp', undefined],
  ])('reads %s', (line, expected) => {
    expect(progressIn(line)).toEqual(expected);
  });
});

describe('failureIn', () => {
  it('takes the first error of the compiler, not what follows from it', () => {
    const lines = [
      '[1/153] Building CXX object a.cpp.o',
      'FAILED: a.cpp.o',
      '/src/a.cpp:3:10: error: ‘nothing’ was not declared in this scope',
      'ninja: build stopped: subcommand failed.',
      'SpawnError: Command npm run exited with code 1',
    ];
    expect(failureIn(lines)).toBe('/src/a.cpp:3:10: error: ‘nothing’ was not declared in this scope');
  });

  it('joins what CMake says over several lines', () => {
    const lines = [
      '-- Configuring',
      'CMake Error at CMakeLists.txt:9 (find_package):',
      '  Could NOT find Vulkan',
      '',
      '  (missing: Vulkan_LIBRARY)',
    ];
    expect(failureIn(lines)).toBe('CMake Error at CMakeLists.txt:9 (find_package): Could NOT find Vulkan (missing: Vulkan_LIBRARY)');
  });

  it('is not misled by sources without history', () => {
    const lines = ['fatal: not a git repository (or any of the parent directories): .git', 'nvcc fatal : Unknown option'];
    expect(failureIn(lines)).toBe('nvcc fatal : Unknown option');
  });

  it('names nvcc’s and the killer of processes short of memory', () => {
    expect(failureIn(['nvcc fatal   : Unsupported gpu architecture', 'x'])).toBe('nvcc fatal   : Unsupported gpu architecture');
    expect(failureIn(['c++: fatal error: Killed signal terminated program cc1plus'])).toContain('Killed signal');
  });

  it('names a program that is missing, and not Node’s version under its stack', () => {
    expect(failureIn(['sh: 1: cmake-js: not found', 'SpawnError: Command npm run exited with code 127', 'Node.js v24.21.0'])).toBe(
      'sh: 1: cmake-js: not found',
    );
    expect(failureIn(['it went wrong', 'Node.js v24.21.0'])).toBe('it went wrong');
  });

  it('gives the last line where no line looks like an error, and says so where there is none', () => {
    expect(failureIn(['one', 'two', ''])).toBe('two');
    expect(failureIn([])).toBe('it gave no output');
  });
});
