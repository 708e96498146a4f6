/**
 * TLS of the helper's page: an authority of its own that can speak for this network
 * only, or a certificate the person brings. Promises that keys are readable by this
 * user alone, that a leaf is renewed before it ends and when addresses change, and
 * that one command deletes the authority. Knows nothing of who connects.
 */
export { type OwnCertificateFiles } from './own-certificate.ts'
export { openTrust, type Trust, type TrustOptions, type TrustState } from './trust.ts'
