import { readFileSync } from 'node:fs'
import { type RelaySettings, resolveConfig } from '../config/resolve-config.ts'
import type { CliHost } from './host.ts'
import { loadConfig } from './load-config.ts'

/** In the place of secrets that are not there. */
const UNUSED = {
  METERTAP_ZUORA_CLIENT_ID: 'unused',
  METERTAP_ZUORA_CLIENT_SECRET: 'unused',
  METERTAP_ADMIN_KEY: 'unused'.repeat(8),
}

/** Reads a configuration where its secrets may be missing. Errors: MetertapError bad_option when it does not fit. */
export async function readWithoutSecrets(path: string, host: CliHost): Promise<RelaySettings> {
  const config = await loadConfig(path, host)
  const grants = (config?.grants ?? []).map((grant) => ({
    ...grant,
    secret: grant.secret ?? UNUSED.METERTAP_ADMIN_KEY,
  }))
  return resolveConfig(
    { ...config, ...(config?.grants === undefined ? {} : { grants }) },
    { environment: { ...UNUSED, ...host.environment }, readFile: (file) => readFileSync(file, 'utf8') },
  )
}
