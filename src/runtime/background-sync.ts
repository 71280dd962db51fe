/** Background Sync, where the browser has it; TypeScript's DOM library does not. */
interface SyncRegistration {
  readonly sync?: { register(tag: string): Promise<void> }
}

/**
 * Asks for a 'sync' event of the page's service worker, as soon as there is a network, also when the page is gone by
 * then. Resolves with false where there is no Background Sync, no active service worker, or no leave to use them.
 */
export async function requestSync(tag: string): Promise<boolean> {
  try {
    const registration = await globalThis.navigator?.serviceWorker?.getRegistration()
    const { sync } = (registration ?? {}) as SyncRegistration
    if (!registration?.active || !sync) return false
    await sync.register(tag)
    return true
  } catch {
    return false
  }
}
