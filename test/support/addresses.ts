/** Names and keys of test relays, apart from the fixture: a Worker cannot load Node's modules. */
export const PUBLIC_URL = 'https://usage.example.com'
export const ORIGIN = 'https://app.example.com'
export const GRANT_SECRET = 'grant-secret-of-thirty-two-bytes-or-more'
export const ADMIN_KEY = 'admin-key-of-thirty-two-bytes-or-more!!'
