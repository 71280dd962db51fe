import { Hono, type HonoRequest } from 'hono'
import * as z from 'zod'
import type { Fault, FaultSwitch, Ledger } from './contract.ts'
import { parseFaults } from './fault-schema.ts'

/**
 * The stand-in's own switchboard, for demos and tests in other processes. No key: it listens on the loopback only.
 *
 * `GET | PUT | POST | DELETE /faults` (PUT replaces all rules, POST adds), `GET | DELETE /ledger`, `GET /audit?meter=`.
 */
export function createAdmin(faults: FaultSwitch, ledger: Ledger): Hono {
  const admin = new Hono()
  const change = async (request: HonoRequest, apply: (list: readonly Fault[]) => void): Promise<Response> => {
    try {
      const value: unknown = await request.json()
      apply(parseFaults(Array.isArray(value) ? value : [value]))
      return Response.json(faults.list())
    } catch (error) {
      if (error instanceof SyntaxError) return Response.json({ error: 'The body is not JSON.' }, { status: 400 })
      if (error instanceof z.ZodError) return Response.json({ error: z.prettifyError(error) }, { status: 400 })
      throw error
    }
  }
  admin.get('/faults', (c) => c.json(faults.list()))
  admin.put('/faults', (c) => change(c.req, faults.set))
  admin.post('/faults', (c) => change(c.req, (list) => faults.add(...list)))
  admin.delete('/faults', (c) => {
    faults.clear()
    return c.body(null, 204)
  })
  admin.get('/ledger', (c) => c.json(ledger.snapshot()))
  admin.delete('/ledger', (c) => {
    ledger.reset()
    return c.body(null, 204)
  })
  admin.get('/audit', (c) => c.json(ledger.audit(c.req.query('meter'))))
  return admin
}
