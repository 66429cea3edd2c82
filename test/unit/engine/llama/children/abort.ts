process.stderr.write(
  'ggml_cuda_init: found 1 device\nCUDA error: the provided PTX was compiled with an unsupported toolchain.\n  current device: 0\nggml-cuda.cu:98: CUDA error\n',
);
process.abort();
