/** The browser must have begun the download by then. */
const REVOKE_AFTER_MS = 10_000

/** Gives the user a file. Works under a Content-Security-Policy: a download is no navigation. */
export function saveFile(name: string, type: string, text: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([text], { type }))
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), REVOKE_AFTER_MS)
}
