/**
 * What no relay can do without: takes a request, inflates and parses it; with a database, also commits it, synced, as
 * one row. No token, no validation, no de-duplication. Usage: serve-floor.ts [<database>]
 */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DatabaseSync } from 'node:sqlite'
import { gunzipSync } from 'node:zlib'
import type { Listening } from './contract.ts'

const [path] = process.argv.slice(2)

function openCommit(file: string): (body: string) => void {
  const db = new DatabaseSync(file)
  db.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE bodies (id INTEGER PRIMARY KEY, body TEXT)',
  )
  const insert = db.prepare('INSERT INTO bodies (body) VALUES (?)')
  // Outside of a transaction: the statement is one, committed when it returns.
  return (body) => void insert.run(body)
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const commit = path === undefined ? undefined : openCommit(path)
const server = createServer(async (request, response) => {
  const text = gunzipSync(await readBody(request)).toString()
  JSON.parse(text)
  commit?.(text)
  response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
})
server.listen(0, '127.0.0.1', () => {
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` } satisfies Listening)
})
process.once('SIGTERM', () => process.exit(0))
