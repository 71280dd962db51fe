/** The secrets of the grants' keys, by key id. */
export function grantSecrets(
  grants: readonly { readonly keyId: string; readonly secret: string }[],
): ReadonlyMap<string, Uint8Array> {
  const encoder = new TextEncoder()
  return new Map(grants.map(({ keyId, secret }) => [keyId, encoder.encode(secret)]))
}
