/** A tensor to be written: rows first, as torch counts sides. */
export interface PlainTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** Bytes of a safetensors file (https://huggingface.co/docs/safetensors): header, then values in 32 bit or bfloat16. */
export function safetensorsBytes(tensors: Readonly<Record<string, PlainTensor>>, dtype: 'F32' | 'BF16'): Buffer {
  let offset = 0;
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  const data = Object.entries(tensors).map(([name, { shape, values }]) => {
    const bytes = dtype === 'F32' ? Buffer.from(values.buffer, values.byteOffset, values.byteLength) : bfloat16(values);
    header[name] = { dtype, shape, data_offsets: [offset, (offset += bytes.length)] };
    return bytes;
  });
  const text = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([size, text, ...data]);
}

/** The upper half of each float, rounded to the nearest. */
function bfloat16(values: Float32Array): Buffer {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = Uint16Array.from(bits, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16);
  return Buffer.from(halves.buffer);
}
