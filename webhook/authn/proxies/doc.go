// Package proxies tests the doors of the auth server through real proxies, which
// run the recipes of config/samples/proxies: what clients see, what reaches the
// upstream, and that nothing passes while the auth server is away.
package proxies
