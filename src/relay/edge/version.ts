/** The package's version, in a bundle that has no files to read it from; a test holds it to package.json. */
export const EDGE_VERSION = '0.1.0'
