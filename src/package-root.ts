/** The directory of this package: one above `src` and above the files that are built from it. */
export const PACKAGE_ROOT = new URL('../', import.meta.url);
