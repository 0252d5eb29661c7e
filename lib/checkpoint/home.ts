import { homedir } from 'node:os';

/** The user's folder. */
export function homeFolder(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  known: () => string = homedir,
): string {
  if (environment.HOME) return environment.HOME;
  try {
    return known();
  } catch {
    // Of a user whom no file of a container knows; Docker sets HOME to this too.
    return '/';
  }
}
