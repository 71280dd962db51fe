import type { BenchEvent, Subject } from '../page/contract.ts'

/** The agent's own limits for one request and its own patience: the floor is not to win by sending less often. */
const BATCH_EVENTS = 2_000
const FLUSH_EVENTS = 1_000
const FLUSH_MS = 5_000

let database: IDBDatabase
let sinkUrl = ''
let tail: string[] = []
let stored: { key: number; texts: string[] }[] = []
let flushTimer: ReturnType<typeof setTimeout> | undefined
let storing: Promise<void> = Promise.resolve()
let isSending = false
let nextKey = 0

function inTransaction(run: (rows: IDBObjectStore) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction('groups', 'readwrite', { durability: 'relaxed' })
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error)
    run(transaction.objectStore('groups'))
    transaction.commit()
  })
}

async function store(): Promise<void> {
  const texts = tail
  tail = []
  const key = nextKey++
  await inTransaction((rows) => rows.put(texts.join(), key))
  stored.push({ key, texts })
  const waiting = stored.reduce((sum, group) => sum + group.texts.length, 0)
  if (waiting >= FLUSH_EVENTS) void send()
  else flushTimer ??= setTimeout(send, FLUSH_MS)
}

async function post(texts: readonly string[]): Promise<void> {
  const packed = new Response(`[${texts.join()}]`).body?.pipeThrough(new CompressionStream('gzip'))
  const body = await new Response(packed ?? null).arrayBuffer()
  const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' }
  const answer = await fetch(`${sinkUrl}/floor`, { method: 'POST', headers, body })
  await answer.text()
}

async function send(): Promise<void> {
  clearTimeout(flushTimer)
  flushTimer = undefined
  if (isSending) return
  isSending = true
  while (stored.length > 0) {
    const groups = stored
    stored = []
    const texts = groups.flatMap((group) => group.texts)
    for (let first = 0; first < texts.length; first += BATCH_EVENTS)
      await post(texts.slice(first, first + BATCH_EVENTS))
    await inTransaction((rows) => {
      for (const { key } of groups) rows.delete(key)
    })
  }
  isSending = false
}

/**
 * The least code that does the work: serialises, stores one row per group with an explicit commit, posts gzip, deletes
 * what was answered. No validation, no numbers, no retry, no second tab, no crash: nothing here could be sold.
 */
export const subject: Subject = {
  start({ sink }) {
    sinkUrl = sink
    return new Promise((resolve) => {
      const request = indexedDB.open('floor')
      request.onupgradeneeded = () => request.result.createObjectStore('groups')
      request.onsuccess = () => {
        database = request.result
        resolve()
      }
    })
  },
  record({ atMs, data }: BenchEvent) {
    if (tail.push(JSON.stringify([atMs, data])) > 1) return
    queueMicrotask(() => {
      storing = store()
    })
  },
  // One microtask later than the last event's own.
  durable: () => Promise.resolve().then(() => storing),
}
