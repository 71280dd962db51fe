import { closeSync, fsyncSync, openSync, rmSync, statSync, writeSync } from 'node:fs'

const CHUNK_BYTES = 64 * 1024

/**
 * Room that is kept for the day the disk is full. Letting go of what was delivered needs some itself, since SQLite first
 * writes down what it is going to change: without a reserve a full outbox could never become empty.
 */
export interface Reserve {
  /** Puts it aside if it is missing; false when there is no room for it. */
  keep(): boolean
  /** Gives it to whoever needs it now; false when there is none. */
  spend(): boolean
}

export function createReserve(path: string, bytes: number): Reserve {
  const isThere = () => statSync(path, { throwIfNoEntry: false })?.size === bytes
  const remove = () => rmSync(path, { force: true })
  return {
    keep() {
      try {
        if (!isThere()) fill(path, bytes)
        return true
      } catch {
        // A part of it would be of no use.
        remove()
        return false
      }
    },
    spend() {
      const wasThere = isThere()
      if (wasThere) remove()
      return wasThere
    },
  }
}

/** Written, since an empty length takes no room on most disks. */
function fill(path: string, bytes: number): void {
  const file = openSync(path, 'w', 0o600)
  try {
    const chunk = new Uint8Array(CHUNK_BYTES).fill(0x5a)
    for (let at = 0; at < bytes; at += CHUNK_BYTES) writeSync(file, chunk, 0, Math.min(CHUNK_BYTES, bytes - at), at)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
