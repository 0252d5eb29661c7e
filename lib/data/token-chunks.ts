/**
 * Documents as one stream of tokens, cut into chunks: each document follows a separator (where there is one), and what is
 * left over at the end is dropped.
 * @param documents token ids of each
 * @param separator the end-of-text token
 */
export function tokenChunks(
  documents: Iterable<readonly number[]>,
  length: number,
  separator: number | undefined,
): number[][] {
  const chunks: number[][] = [];
  let chunk: number[] = [];
  const put = (id: number) => {
    chunk.push(id);
    if (chunk.length < length) return;
    chunks.push(chunk);
    chunk = [];
  };
  for (const document of documents) {
    if (separator !== undefined) put(separator);
    for (const id of document) put(id);
  }
  return chunks;
}

/** The token that ends a text, by the names that tokenizers give it; undefined where there is none. */
export function endOfText(vocabulary: readonly string[]): number | undefined {
  const names = ['<|endoftext|>', '</s>', '<eos>', '<|end_of_text|>', '[EOS]'];
  const found = names.map((name) => vocabulary.indexOf(name)).find((id) => id >= 0);
  return found;
}
