/**
 * A UUIDv7 (RFC 9562, 5.7): 48 bits of time, the rest random. Own code, since it is in every page before the first
 * record(), and crypto.randomUUID() makes no version 7 and is missing on plain http.
 */
export function uuidV7(nowMs: number): string {
  const random = crypto.getRandomValues(new Uint8Array(10))
  const digits = Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('')
  // The variant's two bits, 10, before two random ones.
  const variant = '89ab'[(random[2] as number) & 3]
  const all = `${nowMs.toString(16).padStart(12, '0')}7${digits.slice(0, 3)}${variant}${digits.slice(5)}`
  return all.replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
