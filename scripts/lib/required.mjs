import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ROOT } from './root.mjs';

const NAME = '@tensorflow/tfjs';

/**
 * TensorFlow.js as an ES module that requires it. It is CommonJS, and where an ES module imports such a package, Node looks through all of its text for
 * names before it runs it: two thirds of what loading it costs, in every thread.
 * @param from expression of the file from which the package is looked for
 */
function moduleOf(from) {
  const names = Object.keys(createRequire(import.meta.url)(NAME));
  return `import { createRequire } from 'node:module';
export const { ${names.join(', ')} } = createRequire(${from})('${NAME}');
`;
}

/** For bundles of esbuild that leave packages outside. @type {import('esbuild').Plugin} */
export const requiredByBundles = {
  name: 'required',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: new RegExp(`^${NAME}$`) }, () => ({ path: NAME, namespace: 'required' }));
    onLoad({ filter: /^/, namespace: 'required' }, () => ({ contents: moduleOf('import.meta.url') }));
  },
};

const VIRTUAL = '\0required';

/** For tests. @type {import('vite').Plugin} */
export const requiredByTests = {
  name: 'required',
  enforce: 'pre',
  resolveId: (id) => (id === NAME ? VIRTUAL : undefined),
  load: (id) => (id === VIRTUAL ? moduleOf(JSON.stringify(join(ROOT, 'package.json'))) : undefined),
};
