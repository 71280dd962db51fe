import { createGrant } from '../../src/relay.ts'
import { METER_ROUTES } from '../world/meter-routes.ts'
import type { Session } from './sessions.ts'

export interface UsageTokenDeps {
  readonly relayUrl: string
  /** The key that the relay knows this back end by. */
  readonly keyId: string
  readonly secret: string
}

/** Makes the function that gets a usage token for a logged-in user: signs a grant and swaps it at the relay. */
export function createUsageTokens(deps: UsageTokenDeps): (session: Session) => Promise<string> {
  const { relayUrl, keyId, secret } = deps
  const meters = METER_ROUTES.map(({ meter }) => meter.name)
  return async ({ user: { account }, device }) => {
    const grant = await createGrant({ keyId, secret, account, device, meters })
    const response = await fetch(`${relayUrl}/v1/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ grant }),
    })
    if (!response.ok) throw new Error(`The relay answered ${response.status} when asked for a token.`)
    const { token } = (await response.json()) as { token: string }
    return token
  }
}
