import { defineConfig } from 'rolldown';
import { bundledLicenses } from './release/bundled-licenses.ts';

/**
 * Each program that is started by itself, and the library that the package exports, with all they import in few files:
 * Node takes most of a start to find and link modules one by one, and every thread keeps their sources.
 *
 * All programs lie beside each other in `dist`, as one finds another by its name.
 */
export default defineConfig({
  input: {
    main: 'src/main.ts',
    'epoll-worker': 'src/daemon/epoll-worker.ts',
    'policy-thread': 'src/daemon/policy-thread.ts',
    'policy-process': 'src/daemon/policy-process.ts',
    'edit-thread': 'src/daemon/edit-thread.ts',
    'site-keeper': 'src/daemon/site-keeper.ts',
    'tls-sni/index': 'src/tls-sni/index.ts',
  },
  platform: 'node',
  // They have a binary beside their code.
  external: ['koffi', 'libsql'],
  // As of an import that is not found, which would be left to fail when the program runs.
  onwarn: warning => {
    throw new Error(warning.message);
  },
  output: {
    dir: 'dist',
    cleanDir: true,
    chunkFileNames: '[name]-[hash].js',
    comments: { legal: true, annotation: false, jsdoc: false },
    plugins: [bundledLicenses('THIRD-PARTY-LICENSES.txt')],
  },
});
