export { createGrant, type GrantOptions } from './relay/tokens/grant.ts'
export { MetertapError } from './wire/errors.ts'
