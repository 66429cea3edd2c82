/** A value of GGUF metadata, as far as a small model needs it. */
export type GgufValue =
  | { readonly string: string }
  | { readonly uint32: number }
  | { readonly float32: number }
  | { readonly strings: readonly string[] }
  | { readonly float32s: readonly number[] }
  | { readonly int32s: readonly number[] };

/** A tensor with its data, sides in ggml's order: the row length first. */
export interface GgufTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** ggml's number for the value type. */
  readonly type: number;
  readonly data: Buffer;
}

const alignmentBytes = 32;
const version = 3;
/** Numbers of the value types, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md */
const valueType = { uint32: 4, int32: 5, float32: 6, string: 8, array: 9 };

/** Bytes of a GGUF file, version 3: header, metadata, tensor table, data aligned to 32 bytes. */
export function ggufFile(metadata: Readonly<Record<string, GgufValue>>, tensors: readonly GgufTensor[]): Buffer {
  let offset = 0;
  const table = tensors.map(({ name, shape, type, data }) => {
    const row = Buffer.concat([text(name), uint32(shape.length), ...shape.map(uint64), uint32(type), uint64(offset)]);
    offset += data.length + paddingOf(data.length);
    return row;
  });
  const entries = Object.entries(metadata);
  const header = Buffer.concat([
    Buffer.from('GGUF', 'latin1'),
    uint32(version),
    uint64(tensors.length),
    uint64(entries.length),
    ...entries.flatMap(([key, value]) => [text(key), valueOf(value)]),
    ...table,
  ]);
  return Buffer.concat([padded(header), ...tensors.map(({ data }) => padded(data))]);
}

function valueOf(value: GgufValue): Buffer {
  if ('string' in value) return Buffer.concat([uint32(valueType.string), text(value.string)]);
  if ('uint32' in value) return Buffer.concat([uint32(valueType.uint32), uint32(value.uint32)]);
  if ('float32' in value) return Buffer.concat([uint32(valueType.float32), float32(value.float32)]);
  if ('strings' in value) return arrayOf(valueType.string, value.strings.map(text));
  if ('float32s' in value) return arrayOf(valueType.float32, value.float32s.map(float32));
  return arrayOf(valueType.int32, value.int32s.map(int32));
}

function arrayOf(type: number, items: readonly Buffer[]): Buffer {
  return Buffer.concat([uint32(valueType.array), uint32(type), uint64(items.length), ...items]);
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

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function float32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(paddingOf(bytes.length))]);
}

function paddingOf(bytes: number): number {
  return (alignmentBytes - (bytes % alignmentBytes)) % alignmentBytes;
}
