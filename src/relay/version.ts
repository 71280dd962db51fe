import { readFileSync } from 'node:fs'

/** The package's version, read from the package itself: one folder up from the bundle, two from the source. */
export const VERSION: string = findVersion(['../package.json', '../../package.json'])

function findVersion(places: readonly string[]): string {
  for (const place of places) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8')) as Record<
        string,
        string
      >
      if (name === 'metertap' && version !== undefined) return version
    } catch {
      // Not there: the next place.
    }
  }
  return '0.0.0'
}
