// Package parts finds the real programs that tests and the development cluster
// run: a Kubernetes control plane, the proxies, a model checker, and Helm. One part is
// a program with the schemas of gateways that tests don't run.
//
// Each one is looked for in order, and the first hit wins: an environment
// variable, PATH, our cache, and then a source it is fetched from into the
// cache. Nothing needs root. What can't be had on a machine is named, never
// silently skipped.
//
// Environment:
//
//	APIKEY_OPERATOR_CACHE          the cache; default ${XDG_CACHE_HOME:-~/.cache}/apikey-operator
//	APIKEY_OPERATOR_FETCH=off      look, but fetch nothing
//	APIKEY_OPERATOR_MISSING_PARTS  a file that Need appends a line to for each part it misses
//	KUBEBUILDER_ASSETS             a directory with the programs of the control plane
//	ENVOY, NGINX, CADDY,           the proxies
//	TRAEFIK, HAPROXY
//	SPIN                           the model checker
//	HELM                           Helm 4 or newer
//	CI=true                        a missing part fails the test instead of skipping it
package parts
