/** A value of GGUF metadata, as far as tests need it. */
export type GgufValue = string | boolean | { readonly uint32: number } | readonly string[];

export interface GgufParts {
  readonly version?: number;
  readonly metadata?: Readonly<Record<string, GgufValue>>;
  readonly tensors?: readonly { readonly name: string; readonly shape: readonly number[]; readonly type: number; readonly bytes: number }[];
}

const alignment = 32;
const valueType = { uint32: 4, bool: 7, string: 8, array: 9 };

/** Bytes of a small GGUF file, written by hand after ggml's docs/gguf.md; tensor data is zeros. */
export function ggufBytes({ version = 3, metadata = {}, tensors = [] }: GgufParts): { bytes: Buffer; headerBytes: number } {
  let offset = 0;
  const infos = tensors.map((tensor) => {
    const info = Buffer.concat([
      text(tensor.name),
      uint32(tensor.shape.length),
      ...tensor.shape.map(uint64),
      uint32(tensor.type),
      uint64(offset),
    ]);
    offset += padded(tensor.bytes);
    return info;
  });
  const header = Buffer.concat([
    Buffer.from('GGUF', 'latin1'),
    uint32(version),
    uint64(tensors.length),
    uint64(Object.keys(metadata).length),
    ...Object.entries(metadata).flatMap(([key, value]) => [text(key), valueOf(value)]),
    ...infos,
  ]);
  return { bytes: Buffer.concat([header, Buffer.alloc(padded(header.length) - header.length + offset)]), headerBytes: header.length };
}

function valueOf(value: GgufValue): Buffer {
  if (typeof value === 'boolean') return Buffer.concat([uint32(valueType.bool), Buffer.from([Number(value)])]);
  if (typeof value === 'string') return Buffer.concat([uint32(valueType.string), text(value)]);
  if ('uint32' in value) return Buffer.concat([uint32(valueType.uint32), uint32(value.uint32)]);
  return Buffer.concat([uint32(valueType.array), uint32(valueType.string), uint64(value.length), ...value.map(text)]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8');
  return Buffer.concat([uint64(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function padded(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}
