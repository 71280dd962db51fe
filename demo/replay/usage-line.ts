import * as z from 'zod'
import { webRequests } from '../meters.ts'

/** What one line of the file gives to record(). */
export interface UsageLine {
  readonly data: unknown
  /** NaN when the line has no ISO 8601 time in UTC. */
  readonly atMs: number
}

const time = z.iso.datetime()

/** Reads a line as it comes; whether it may be recorded is for record() to say. */
export function readUsageLine(text: string): UsageLine {
  const value = parseJson(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { data: value, atMs: 0 }
  const { at, ...data } = value as Record<string, unknown>
  return { data, atMs: time.safeParse(at).success ? Date.parse(at as string) : Number.NaN }
}

/** The billed quantity of a line that record() will take; undefined for one that it will refuse. */
export function billedBytes({ data, atMs }: UsageLine): number | undefined {
  if (!Number.isSafeInteger(atMs) || atMs < 0) return undefined
  return webRequests.schema.safeParse(data).data?.bytes
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
