import { MetertapError } from '../wire/errors.ts'
import { BRIDGE_VERSION } from './contract.ts'

export function wrongVersion(v: unknown): MetertapError {
  const text = `Main process, preload script and page are of different versions (${BRIDGE_VERSION} and ${String(v)}): build them from one metertap.`
  return new MetertapError('wrong_version', text)
}
