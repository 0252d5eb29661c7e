import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { readPlain } from '../../archive/own-files';

const FileSchema = z.object({ folders: z.array(z.string().min(1)) });

/** Folders with models that somebody has added, in a small file beside the runs. */
export class KeptFolders {
  /** @param path null keeps nothing */
  constructor(private readonly path: string | null) {}

  /** Empty where there is no file; one that cannot be read counts as empty, and the log says so. */
  read(): string[] {
    if (this.path === null) return [];
    try {
      return FileSchema.parse(JSON.parse(readPlain(this.path))).folders;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        console.error(`The list of added model folders in ${this.path} cannot be read; add them again.`);
      return [];
    }
  }

  /** A disk that is full or read-only costs the memory of the folders, not the folders themselves. */
  write(folders: readonly string[]): void {
    if (this.path === null) return;
    try {
      mkdirSync(dirname(this.path), { recursive: true });
      writeFileSync(`${this.path}.part`, `${JSON.stringify({ folders }, null, 2)}\n`);
      renameSync(`${this.path}.part`, this.path);
    } catch (error) {
      console.error(`The list of added model folders is not kept: ${(error as Error).message}`);
    }
  }
}
