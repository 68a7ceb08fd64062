// Package certificates keeps the certificates that admission and auth servers serve
// with, where nobody else does: it issues and renews them in Secrets, injects the CA
// into the ValidatingWebhookConfiguration, and writes those of admission into files,
// which are read in the same way whoever put them there.
//
// The rest is OPA's cert-controller: an RSA CA of ten years and certificates of one,
// both renewed 90 days before they end.
package certificates
