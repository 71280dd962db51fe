import { readFileSync } from 'node:fs'
import { resolveConfig } from '../config/resolve-config.ts'
import { meterRecipe } from '../operate/meter-recipe.ts'
import type { CliHost } from './host.ts'
import { loadConfig } from './load-config.ts'

/** Values that the meters do not depend on, so that the recipes can be printed where no secret is. */
const NO_SECRETS = {
  METERTAP_ZUORA_CLIENT_ID: 'unused',
  METERTAP_ZUORA_CLIENT_SECRET: 'unused',
  METERTAP_ADMIN_KEY: 'unused'.repeat(8),
}

/** Prints what each meter needs in Zuora. Errors: MetertapError bad_option when the configuration does not fit. */
export async function printMeters(path: string, host: CliHost): Promise<void> {
  const config = await loadConfig(path, host)
  const unusedGrants = (config?.grants ?? []).map((grant) => ({ ...grant, secret: grant.secret ?? 'unused'.repeat(8) }))
  const { meters } = resolveConfig(
    { ...config, ...(config?.grants === undefined ? {} : { grants: unusedGrants }) },
    { environment: { ...NO_SECRETS, ...host.environment }, readFile: (file) => readFileSync(file, 'utf8') },
  )
  host.writeOut(meters.map(meterRecipe).join('\n'))
}
