/** The folder that holds `models/`, `tokenizers/` and `dist/`. */
export const projectRoot = (): string => process.env.STATESCOPE_ROOT || process.cwd();
