import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type ExampleList, ExampleSchema } from '@/lib/api/schemas';
import { ServiceError } from './errors';

/** The prompts that ship with the models; an empty list where there is no file. @throws ServiceError 500 when it is damaged. */
export async function readExamples(root: string): Promise<ExampleList> {
  const path = join(root, 'models', 'examples.json');
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '[]';
    throw error;
  });
  try {
    return { examples: z.array(ExampleSchema).parse(JSON.parse(text)) };
  } catch {
    throw new ServiceError(500, 'models/examples.json is not a list of examples.', 'Restore the file and reload.');
  }
}
