// Package gitops judges objects as those do that apply them from Git, with the
// configuration of config/samples/gitops: kstatus, which Flux and others compute;
// Flux's own expressions; Argo CD's health check in Lua. Tests of the controllers
// ask it what becomes of the conditions that they write.
package gitops
