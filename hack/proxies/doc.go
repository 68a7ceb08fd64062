// Package proxies runs real proxies with the recipes of config/samples/proxies.
//
// A recipe is a whole configuration with fixed ports, as users copy it. Nothing of
// it is changed but the port numbers, so that what runs here is what they run.
package proxies
