import { open } from 'node:fs/promises'
import { billedBytes, readUsageLine } from './usage-line.ts'

export interface FileLine {
  /** From 1, as an editor counts; blank lines count but are not given. */
  readonly number: number
  readonly text: string
  /** Undefined: the line is no usage event and will be refused. */
  readonly bytes: number | undefined
}

/** What the file holds: the yardstick for everything downstream. */
export interface Survey {
  /** Lines that are usage events. */
  readonly events: number
  readonly invalid: number
  readonly firstInvalid: number | undefined
  readonly bytes: bigint
}

async function* readFileLines(path: string): AsyncGenerator<FileLine> {
  await using file = await open(path)
  let number = 0
  for await (const text of file.readLines()) {
    number++
    if (text.trim() !== '') yield { number, text, bytes: billedBytes(readUsageLine(text)) }
  }
}

/** Reads the file once, without keeping it. */
export async function surveyFile(path: string): Promise<Survey> {
  let events = 0
  let invalid = 0
  let firstInvalid: number | undefined
  let bytes = 0n
  for await (const line of readFileLines(path)) {
    if (line.bytes === undefined) {
      invalid++
      firstInvalid ??= line.number
    } else {
      events++
      bytes += BigInt(line.bytes)
    }
  }
  return { events, invalid, firstInvalid, bytes }
}

/** The lines behind the first `skipEvents` usage events, in chunks. */
export async function* readChunks(path: string, skipEvents: number, chunkLines: number): AsyncGenerator<FileLine[]> {
  let toSkip = skipEvents
  let chunk: FileLine[] = []
  for await (const line of readFileLines(path)) {
    if (toSkip > 0) {
      if (line.bytes !== undefined) toSkip--
      continue
    }
    chunk.push(line)
    if (chunk.length < chunkLines) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}
