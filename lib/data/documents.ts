import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '@/lib/input-error';
import { readWhole, textOf } from './text-file';

/** How files are cut into documents. */
export const DOCUMENT_CUTS = ['file', 'paragraph', 'line'] as const;
export type DocumentCut = (typeof DOCUMENT_CUTS)[number];

/** Names of files of a kind, and what a sentence says of them. */
export interface FileKind {
  readonly ending: RegExp;
  readonly said: string;
}

/** The files of a kind in a folder and the folders in it, in the order of their names; or the one file. @throws InputError */
export function filesOf(path: string, { ending, said }: FileKind): string[] {
  const list = (folder: string): string[] =>
    readdirSync(folder, { withFileTypes: true })
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((entry) => {
        const inside = join(folder, entry.name);
        if (entry.isDirectory()) return list(inside);
        return ending.test(entry.name) ? [inside] : [];
      });
  let files: string[];
  try {
    files = statSync(path).isDirectory() ? list(path) : [path];
  } catch (error) {
    throw new InputError(
      `${path} cannot be read (${(error as NodeJS.ErrnoException).code}); give a file, or a folder of them.`,
    );
  }
  if (files.length === 0) throw new InputError(`${path} holds no file that ends in ${said}.`);
  return files;
}

/** What is cut out of a text, with the blank lines or line ends between left out. */
export function cutText(text: string, cut: DocumentCut): string[] {
  if (cut === 'file') return text.trim() === '' ? [] : [text];
  const parts = text.split(cut === 'line' ? /\r?\n/ : /(?:\r?\n[ \t]*){2,}/);
  return parts.filter((part) => part.trim() !== '');
}

const TEXT_FILES: FileKind = { ending: /\.txt(\.gz)?$/, said: '.txt or .txt.gz' };

/** Texts of files that are read as a whole when they are asked for, one file at a time in memory. */
export class Documents {
  readonly #files: readonly string[];
  readonly #cut: DocumentCut;
  /** File and place in it of each document. */
  readonly #places: (readonly [file: number, part: number])[] = [];
  #read: { readonly file: number; readonly parts: readonly string[] } | undefined;

  /** @param visit is given the text of each document once, in order. @throws InputError */
  constructor(path: string, cut: DocumentCut, visit: (text: string) => void) {
    this.#files = filesOf(path, TEXT_FILES);
    this.#cut = cut;
    this.#files.forEach((_, file) => {
      this.#parts(file).forEach((text, part) => {
        this.#places.push([file, part]);
        visit(text);
      });
    });
    if (this.#places.length === 0) throw new InputError(`${path} holds no text.`);
  }

  text(index: number): string {
    const [file, part] = this.#places[index];
    return this.#parts(file)[part];
  }

  #parts(file: number): readonly string[] {
    if (this.#read?.file !== file) {
      const parts = cutText(textOf(readWhole(this.#files[file])), this.#cut);
      this.#read = { file, parts };
    }
    return this.#read.parts;
  }
}
