import type { Format } from '../contract.ts'

export const floorFormat: Format = {
  read({ url, body }) {
    if (url.pathname !== '/floor') return undefined
    return (JSON.parse(body.toString()) as [number, { n: number }][]).map(([, { n }]) => ({ n, id: String(n) }))
  },
  answer: () => ({ body: '{}' }),
}
