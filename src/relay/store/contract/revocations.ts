/** Whose tokens; without a device: those of every device of the account. */
export interface RevocationSubject {
  readonly tenant: string
  readonly account: string
  readonly device?: string
}

/** What was issued to the subject before beforeMs is no longer good. */
export interface Revocation extends RevocationSubject {
  readonly beforeMs: number
}
