import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { readPlain } from '../../archive/own-files';

const FileSchema = z.object({
  folders: z.array(z.string().min(1)),
  tokenizers: z.record(z.string(), z.string().min(1)).default({}),
});

/** Folders that were added, and the tokenizers that were chosen, by the name of the model. */
export type Kept = z.infer<typeof FileSchema>;

const NOTHING: Kept = { folders: [], tokenizers: {} };

/** What somebody has added and chosen of models, in a small file beside the runs. */
export class KeptFolders {
  /** @param path null keeps nothing */
  constructor(private readonly path: string | null) {}

  /** Empty where there is no file; one that cannot be read counts as empty, and the log says so. */
  read(): Kept {
    if (this.path === null) return NOTHING;
    try {
      return FileSchema.parse(JSON.parse(readPlain(this.path)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        console.error(`The list of added model folders in ${this.path} cannot be read; add them again.`);
      return NOTHING;
    }
  }

  /** A disk that is full or read-only costs the memory of the folders, not the folders themselves. */
  write({ folders, tokenizers }: Kept): void {
    if (this.path === null) return;
    try {
      mkdirSync(dirname(this.path), { recursive: true });
      const kept = { folders, ...(Object.keys(tokenizers).length > 0 && { tokenizers }) };
      writeFileSync(`${this.path}.part`, `${JSON.stringify(kept, null, 2)}\n`);
      renameSync(`${this.path}.part`, this.path);
    } catch (error) {
      console.error(`The list of added model folders is not kept: ${(error as Error).message}`);
    }
  }
}
