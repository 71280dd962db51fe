import * as z from 'zod'
import { byteLength, MIN_SECRET_BYTES } from '../tokens/grant.ts'

/** Every message says how to mend the key; the key's path is put before it. */
export function fix(text: string): { error: (issue: { input?: unknown }) => string } {
  return { error: ({ input }) => `${input === undefined ? 'is missing' : 'does not fit'}: ${text}` }
}

/** An object without other keys: an option that nobody reads is a mistake. */
export function strict<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  const known = Object.keys(shape).join(', ')
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code === 'unrecognized_keys') return `has an unknown key ${issue.keys.join(', ')}: known are ${known}`
      return `${issue.input === undefined ? 'is missing' : 'does not fit'}: give an object with ${known}`
    },
  })
}

export function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}

/** https anywhere, http on this machine only: tokens and secrets travel over it. */
export function isSafeUrl(text: string): boolean {
  const url = parseUrl(text)
  if (url === undefined || url.username !== '' || url.password !== '') return false
  const isLoopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback)
}

export function isOrigin(text: string): boolean {
  return parseUrl(text)?.origin === text
}

export const name = (example: string): z.ZodString => {
  const { error } = fix(`give a text of 1 to 200 characters, such as ${example}`)
  return z.string({ error }).min(1, { error }).max(200, { error })
}
export const whole = (from: number, to: number, unit: string): z.ZodNumber => {
  const { error } = fix(`give a whole number from ${from} to ${to} (${unit})`)
  return z.int({ error }).min(from, { error }).max(to, { error })
}
export const url = (text: string, check: (value: string) => boolean): z.ZodString =>
  z.string(fix(text)).refine(check, fix(text))
export const secret = (variable: string): z.ZodString => {
  const text = `give at least ${MIN_SECRET_BYTES} random bytes (openssl rand -base64 32), here or as ${variable}`
  return z.string(fix(text)).refine((value) => byteLength(value) >= MIN_SECRET_BYTES, fix(text))
}
export const credential = (variable: string): z.ZodString => {
  const { error } = fix(`give the one of Zuora's OAuth client, here or as ${variable}`)
  return z.string({ error }).min(1, { error })
}

export function isUnique(values: readonly unknown[]): boolean {
  return new Set(values).size === values.length
}
