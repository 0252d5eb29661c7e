/** The few messages of ONNX's protobuf that one matrix product needs (onnx.proto3 of ONNX 1.8, opset 13). */

const varint = (value: number): number[] => {
  const bytes: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value & 127) | 128);
  return [...bytes, value];
};

const integer = (field: number, value: number) => Buffer.from([...varint(field << 3), ...varint(value)]);
const bytes = (field: number, content: Buffer) =>
  Buffer.concat([Buffer.from([...varint((field << 3) | 2), ...varint(content.length)]), content]);
const text = (field: number, content: string) => bytes(field, Buffer.from(content));
const all = (...parts: Buffer[]) => Buffer.concat(parts);

const FLOAT = 1;

/** ValueInfoProto of a float tensor. */
function matrix(name: string, shape: readonly number[]): Buffer {
  const dimensions = all(...shape.map((size) => bytes(1, integer(1, size))));
  return all(text(1, name), bytes(2, bytes(1, all(integer(1, FLOAT), bytes(2, dimensions)))));
}

/** A model that computes c = a·b for a [M,K] and the constant b [K,N], which a runtime may pack as it loads. */
export function productModel([M, K, N]: readonly [number, number, number], b: Float32Array): Uint8Array {
  const node = all(text(1, 'a'), text(1, 'b'), text(2, 'c'), text(4, 'MatMul'));
  const raw = Buffer.from(b.buffer, b.byteOffset, b.byteLength);
  const constant = all(integer(1, K), integer(1, N), integer(2, FLOAT), text(8, 'b'), bytes(9, raw));
  const graph = all(
    bytes(1, node),
    text(2, 'product'),
    bytes(5, constant),
    bytes(11, matrix('a', [M, K])),
    bytes(12, matrix('c', [M, N])),
  );
  return new Uint8Array(all(integer(1, 8), bytes(7, graph), bytes(8, all(text(1, ''), integer(2, 13)))));
}
